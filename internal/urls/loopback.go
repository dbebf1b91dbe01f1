package urls

import "net/netip"

// IsLoopbackHost reports whether a host name without port is this machine.
// It compares whole names: "localhost.evil.example" is not loopback
// (CVE-2026-18211).
func IsLoopbackHost(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}
