package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is what a run measured. Times are microseconds.
type Report struct {
	Definition []string `json:"definition"`
	Runs       int      `json:"runs"`
	Limits     []Limit  `json:"limits"`
	Servers    []Server `json:"servers"`
}

// Limit is what this machine does at best.
type Limit struct {
	Name   string  `json:"name"`
	Text   string  `json:"text"`
	Median float64 `json:"median_us"`
	P99    float64 `json:"p99_us"`
}

// Server is one provider's figures.
type Server struct {
	Name    string   `json:"name"`
	Figures []Figure `json:"figures"`
}

// Figure is one scenario. Inside is the handler without a socket, 0 where it is
// not measured. Goal 0 is none.
type Figure struct {
	Name      string  `json:"name"`
	Text      string  `json:"text"`
	Median    float64 `json:"median_us"`
	P99       float64 `json:"p99_us"`
	Inside    float64 `json:"inside_us,omitempty"`
	Net       float64 `json:"net_us"`
	Limit     float64 `json:"limit_us"`
	LimitText string  `json:"limit"`
	Ratio     float64 `json:"ratio"`
	Goal      float64 `json:"goal,omitempty"`
	Met       bool    `json:"met"`
}

func definition() []string {
	return []string{
		"One request at a time through one connection; every request and every limit in every turn, in another order each time, as many turns as runs: medians, p99 by nearest rank.",
		"In a turn a request or a limit runs 16 times in a row, a refresh, which uses up a session, four times, a login and its code once for every refresh. The first quarter is not counted: what ran before has cooled the caches and sent processors to sleep.",
		"inside is the time in the handler, called without a socket and without a client, in this process: what the server itself spends. net is what is compared: inside where it is measured and the limit is work alone; the whole median where the limit holds a handler behind the same socket; else the median less the bare handler's for every request.",
		"ratio is net / limit.",
		"Limits are of this machine in this run; signatures and verifications are the bare cryptography of Go's library over 1,000 bytes, without any encoding.",
		"The token reads are what an access token that came back depends on: its session, its client's part of that, whether it was revoked, its user with roles, groups and kinds of credentials. The product joins them into one statement; the limit runs that statement on the same database, and no simpler one. Realm, client, scopes, roles and keys are in memory.",
		"The own provider runs in this process on SQLite in a folder, every write on the disk before it is acknowledged. Each session is refreshed once, more than ten seconds after its last sign of life, so that a refresh writes as in life. Where a grant writes, it signs meanwhile.",
	}
}

func newReport(runs int, taken samples, servers []*server) *Report {
	r := &Report{Definition: definition(), Runs: runs}
	for _, l := range limitTexts() {
		r.Limits = append(r.Limits, Limit{l[0], l[1], micros(taken.median(l[0])), micros(taken.p99(l[0]))})
	}
	for _, s := range servers {
		out := Server{Name: s.name}
		for _, sc := range scenarios() {
			out.Figures = append(out.Figures, newFigure(sc, s.key(sc.name), taken))
		}
		r.Servers = append(r.Servers, out)
	}
	return r
}

func newFigure(sc scenario, key string, taken samples) Figure {
	net, best, ratio := sc.by.compare(taken.median(key), taken.median(key+inside), taken.median)
	f := Figure{Name: sc.name, Text: sc.text, Median: micros(taken.median(key)), P99: micros(taken.p99(key)), Inside: micros(taken.median(key + inside)),
		Net: micros(net), Limit: micros(best), LimitText: sc.by.text(), Ratio: ratio, Goal: sc.by.goal, Met: ratio > 0 && (sc.by.goal == 0 || ratio <= sc.by.goal)}
	return f
}

// text names the limit: "2 rs256_signature".
func (y yardstick) text() string {
	var out []string
	for _, p := range y.parts {
		if p.times == 1 {
			out = append(out, p.limit)
			continue
		}
		out = append(out, fmt.Sprintf("%g %s", p.times, p.limit))
	}
	return strings.Join(out, " + ")
}

// Missed are the goals that the own provider, or any server measured, missed.
func (r *Report) Missed() []string {
	var out []string
	for _, s := range r.Servers {
		for _, f := range s.Figures {
			if !f.Met {
				out = append(out, fmt.Sprintf("%s: %s is %.2f times its limit, goal %g", s.Name, f.Name, f.Ratio, f.Goal))
			}
		}
	}
	return out
}

// JSON writes the report for a program.
func (r *Report) JSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// Table writes the report for a person.
func (r *Report) Table(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%d runs\n\nlimit\tmedian\tp99\twhat it is\n", r.Runs)
	for _, l := range r.Limits {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", l.Name, us(l.Median), us(l.P99), l.Text)
	}
	for _, s := range r.Servers {
		fmt.Fprintf(w, "\n%s\tmedian\tp99\tinside\tnet\tlimit\tratio\tgoal\t\n", s.Name)
		for _, f := range s.Figures {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%.2f\t%s\t%s\n", f.Text, us(f.Median), us(f.P99), us(f.Inside), us(f.Net), us(f.Limit), f.Ratio, goal(f), f.LimitText)
		}
	}
	fmt.Fprintf(w, "\n%s\n", strings.Join(r.Definition, "\n"))
	return w.Flush()
}

func goal(f Figure) string {
	switch {
	case f.Goal == 0:
		return ""
	case !f.Met:
		return fmt.Sprintf("≤ %g MISSED", f.Goal)
	}
	return fmt.Sprintf("≤ %g", f.Goal)
}

func micros(d time.Duration) float64 { return float64(d.Round(10*time.Nanosecond)) / 1000 }

func us(v float64) string {
	switch {
	case v == 0:
		return "-"
	case v >= 1000:
		return fmt.Sprintf("%.2f ms", v/1000)
	}
	return fmt.Sprintf("%.0f µs", v)
}
