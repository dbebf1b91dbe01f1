package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/latchkey-id/latchkey/internal/urls"
)

// most is the longest answer that is read.
const most = 4 << 20

var errElsewhere = errors.New("a load generator aims at this machine alone unless the host is named with --allow-remote")

// parseTarget refuses a target that is not this machine, unless its host is the
// one that was named plainly.
func parseTarget(base, remote string) (*url.URL, error) {
	u, err := url.Parse(base)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%w: target %q; it has to look like http://127.0.0.1:8080", ErrOptions, base)
	case !urls.IsLoopbackHost(u.Hostname()) && u.Hostname() != remote:
		return nil, fmt.Errorf("%w: target %q: %w", ErrOptions, base, errElsewhere)
	}
	return u, nil
}

// client is a plain HTTP client with connections that stay open, or calls a handler
// itself. It follows no redirect: what it asks for is what is measured.
type client struct {
	http   *http.Client
	direct http.Handler // in place of http
}

// newClient connects to loopback addresses alone unless the target's host was
// named: a name may lead anywhere.
func newClient(remote bool) *client {
	dial := &net.Dialer{Timeout: 5 * time.Second}
	if !remote {
		dial.Control = loopbackOnly
	}
	return &client{http: &http.Client{Transport: &http.Transport{DialContext: dial.DialContext, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute}, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func loopbackOnly(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil || !urls.IsLoopbackHost(host) {
		return fmt.Errorf("%s: %w", address, errElsewhere)
	}
	return nil
}

// call is one request.
type call struct {
	method, address string
	form            url.Values // nil for none
	json            []byte     // nil for none
	header          map[string]string
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request and reads the whole answer. What it took counts from the
// request being ready to the last byte; of a handler it is what the handler takes.
func (c *client) do(ctx context.Context, q call) (answer, time.Duration, error) {
	req, err := q.request(ctx)
	if err != nil {
		return answer{}, 0, err
	}
	if c.direct != nil {
		a, took := handle(c.direct, req)
		return a, took, nil
	}
	began := time.Now()
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, most))
	return answer{resp.StatusCode, resp.Header, body}, time.Since(began), err
}

func (q call) request(ctx context.Context) (*http.Request, error) {
	var body io.Reader
	kind := ""
	switch {
	case q.form != nil:
		body, kind = strings.NewReader(q.form.Encode()), "application/x-www-form-urlencoded"
	case q.json != nil:
		body, kind = strings.NewReader(string(q.json)), "application/json"
	}
	req, err := http.NewRequestWithContext(ctx, q.method, q.address, body)
	if err != nil {
		return nil, err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	for name, value := range q.header {
		req.Header.Set(name, value)
	}
	return req, nil
}

// want is do for a request that has to be answered with a status.
func (c *client) want(ctx context.Context, status int, q call) (answer, time.Duration, error) {
	a, took, err := c.do(ctx, q)
	if err == nil && a.status != status {
		err = fmt.Errorf("%s %s: %d, not %d: %.300s", q.method, q.address, a.status, status, a.body)
	}
	return a, took, err
}

// handle calls a handler without a socket, as net/http's server would.
func handle(h http.Handler, r *http.Request) (answer, time.Duration) {
	w := &page{header: http.Header{}, status: http.StatusOK}
	r.RequestURI, r.RemoteAddr, r.Host = r.URL.RequestURI(), "127.0.0.1:1", r.URL.Host
	if r.Body == nil {
		r.Body = http.NoBody
	}
	began := time.Now()
	h.ServeHTTP(w, r)
	took := time.Since(began)
	return answer{w.status, w.header, []byte(w.body.String())}, took
}

// page keeps what a handler writes.
type page struct {
	header http.Header
	status int
	body   strings.Builder
}

func (p *page) Header() http.Header         { return p.header }
func (p *page) WriteHeader(status int)      { p.status = status }
func (p *page) Write(b []byte) (int, error) { return p.body.Write(b) }
