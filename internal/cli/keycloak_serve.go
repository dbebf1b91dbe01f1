package cli

import (
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/latchkey-id/latchkey/internal/urls"
)

// tls reports whether Keycloak would have a certificate.
func (k *keycloak) tls() bool { return k.has("https-certificate-file", "https-certificate-key-file") }

// origin is --url. Keycloak's production mode does not start without a host name.
func (t *translation) origin() error {
	name := t.get("hostname", "")
	if name == "" {
		if t.word == "start" && !t.flags.given["url"] && !strings.EqualFold(t.get("hostname-strict", "true"), "false") {
			return t.refuse("hostname", "is missing: start needs the public address, for example KC_HOSTNAME=https://sso.example.com")
		}
		if t.has("hostname-strict") && !t.flags.given["url"] {
			t.warn("%s: links are never built from what a request says of itself; without KC_HOSTNAME they lead to localhost", t.said["hostname-strict"])
		}
		return nil
	}
	if !strings.Contains(name, "://") {
		name = t.scheme(name) + "://" + name + t.publicPort(name)
	}
	u, err := url.Parse(name)
	if err != nil || u.Host == "" {
		return t.refuse("hostname", "is %q: a host name or a whole URL, please", name)
	}
	if strings.Trim(u.Path, "/") != "" {
		return t.refuse("hostname", "is %q: the provider stands at the root of its host; take the path out", name)
	}
	return t.set("url", name)
}

// scheme of a host without one: https, by our certificate or by a proxy's, except
// on this machine itself.
func (t *translation) scheme(hostname string) string {
	if urls.IsLoopback("http://"+hostname) && !t.tls() {
		return "http"
	}
	return "https"
}

// publicPort is told from the port that is listened on where nothing stands in front.
func (t *translation) publicPort(hostname string) string {
	switch {
	case strings.Contains(hostname, ":") || t.has("proxy-headers"):
		return ""
	case t.tls():
		return portUnless("443", t.get("https-port", "8443"))
	case t.scheme(hostname) == "http":
		return portUnless("80", t.get("http-port", "8080"))
	}
	return ""
}

func portUnless(standard, port string) string {
	if port == standard {
		return ""
	}
	return ":" + port
}

// address is --addr with --tls-cert and --tls-key. There is one door here: with a
// certificate it speaks https.
func (t *translation) address() error {
	for option, flagName := range map[string]string{"https-certificate-file": "tls-cert", "https-certificate-key-file": "tls-key"} {
		if !t.has(option) {
			continue
		}
		if err := t.set(flagName, t.get(option, "")); err != nil {
			return err
		}
	}
	if t.word == "start" && !t.tls() && !t.on("http-enabled") && !t.flags.given["tls-cert"] {
		return t.refuse("http-enabled", "is not true, and there is no certificate: give KC_HTTPS_CERTIFICATE_FILE and KC_HTTPS_CERTIFICATE_KEY_FILE, or KC_HTTP_ENABLED=true behind a proxy that ends TLS")
	}
	bind := t.get("http-host", t.defaultHost())
	if t.tls() {
		if t.on("http-enabled") {
			t.warn("%s: with a certificate there is https alone", t.said["http-enabled"])
		}
		return t.set("addr", join(bind, t.get("https-port", "8443")))
	}
	if t.start() || t.has("http-host", "http-port") {
		return t.set("addr", join(bind, t.get("http-port", "8080")))
	}
	return nil
}

// defaultHost: "In prod mode … the default is to bind to all network addresses";
// start-dev keeps to this machine, except in a container.
func (t *translation) defaultHost() string {
	if t.word == "start-dev" && !t.on("run-in-container") {
		return "localhost"
	}
	return ""
}

// management is --management-addr: as with Keycloak there is none unless health or
// metrics are on, and it listens where the main door does.
func (t *translation) management() error {
	if !t.start() && !t.has("http-management-host", "http-management-port") {
		return nil
	}
	if t.start() && !t.on("health-enabled") && !t.on("metrics-enabled") {
		return t.set("management-addr", "")
	}
	fallback := t.get("http-host", t.defaultHost())
	if !t.start() {
		fallback = "localhost"
	}
	if t.start() && !t.on("metrics-enabled") {
		if err := t.set("metrics", "false"); err != nil {
			return err
		}
	}
	return t.set("management-addr", join(t.get("http-management-host", fallback), t.get("http-management-port", "9000")))
}

// proxies is --trusted-proxy. Keycloak believes everybody where no address is
// given; here nobody is believed then.
func (t *translation) proxies() error {
	headers := strings.ToLower(t.get("proxy-headers", ""))
	switch {
	case headers == "" && t.has("proxy-trusted-addresses"):
		return t.refuse("proxy-trusted-addresses", "needs KC_PROXY_HEADERS=xforwarded beside it")
	case headers == "":
		return nil
	case headers != "xforwarded":
		return t.refuse("proxy-headers", "is %q: X-Forwarded-For alone is read, so let the proxy set it and write xforwarded", headers)
	case !t.has("proxy-trusted-addresses"):
		if !t.flags.given["trusted-proxy"] {
			t.warn("%s: nobody's X-Forwarded-For is believed until KC_PROXY_TRUSTED_ADDRESSES names the proxy", t.said["proxy-headers"])
		}
		return nil
	}
	var networks []string
	for _, a := range strings.Split(t.get("proxy-trusted-addresses", ""), ",") {
		a = strings.TrimSpace(a)
		if ip, err := netip.ParseAddr(a); err == nil {
			a = netip.PrefixFrom(ip, ip.BitLen()).String()
		}
		if _, err := netip.ParsePrefix(a); err != nil {
			return t.refuse("proxy-trusted-addresses", "holds %q: addresses and networks like 10.0.0.0/8, please", a)
		}
		networks = append(networks, a)
	}
	return t.set("trusted-proxy", strings.Join(networks, ","))
}

// logging is --log-level, of the root category, and --log-format.
func (t *translation) logging() error {
	for _, part := range strings.Split(t.get("log-level", ""), ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		if category, _, isCategory := strings.Cut(part, ":"); isCategory {
			t.warn("%s: there are no categories here; %s is passed over", t.said["log-level"], category)
			continue
		}
		level, known := map[string]string{"all": "debug", "trace": "debug", "debug": "debug", "info": "info", "warn": "warn", "error": "error", "fatal": "error", "off": "error"}[strings.ToLower(part)]
		if !known {
			return t.refuse("log-level", "is %q: debug, info, warn or error", part)
		}
		if err := t.set("log-level", level); err != nil {
			return err
		}
	}
	switch format := strings.ToLower(t.get("log-console-output", "")); format {
	case "":
		return nil
	case "json":
		return t.set("log-format", "json")
	case "default":
		return t.set("log-format", "text")
	default:
		return t.refuse("log-console-output", "is %q: default or json", format)
	}
}

// administrator is --admin and its password. Keycloak calls one without a name temp-admin.
func (t *translation) administrator() error {
	password := t.get("bootstrap-admin-password", "")
	if password == "" {
		if t.has("bootstrap-admin-username") && !t.flags.given["admin"] && t.env.get(adminPassword) == "" {
			return t.refuse("bootstrap-admin-password", "is missing beside the administrator's name")
		}
		if name := t.get("bootstrap-admin-username", ""); name != "" {
			return t.set("admin", name)
		}
		return nil
	}
	if t.env.get(adminPassword) == "" {
		changed := *t.env
		changed.Vars = append(changed.Vars[:len(changed.Vars):len(changed.Vars)], adminPassword+"="+password)
		t.env = &changed
	}
	return t.set("admin", t.get("bootstrap-admin-username", "temp-admin"))
}

// imports is --import-realm: the realm files in data/import, if there are any.
func (t *translation) imports() error {
	if !t.on("import-realm") {
		return nil
	}
	dir := filepath.Join(t.dataFolder(), "import")
	if files, err := filepath.Glob(filepath.Join(dir, "*.json")); err != nil || len(files) == 0 {
		return nil // Keycloak takes an empty folder in silence
	}
	return t.set("import", dir)
}

// dataFolder is --data; for Keycloak's words the folder it has too.
func (t *translation) dataFolder() string {
	if v := t.flags.Lookup("data").Value.String(); v != "" {
		return v
	}
	return "data"
}

// keepsFiles makes the data folder of start and start-dev the one that Keycloak
// has below where it runs.
func (t *translation) keepsFiles() error {
	if !t.start() || t.flags.given["data"] {
		return nil
	}
	if _, err := os.Stat("data/h2"); err == nil {
		t.warn("data/h2 is the database of a Keycloak, which is not read; export its realms there (kc.sh export) and import them here")
	}
	return t.set("data", "data")
}
