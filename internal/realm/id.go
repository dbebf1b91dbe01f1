package realm

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
)

// NewID is a random version 4 UUID (RFC 9562, section 5.4), the form of every id
// in Keycloak's API.
func NewID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	return FormatID(b)
}

// FormatID writes 16 bytes in the form of a version 4 UUID.
func FormatID(b []byte) string {
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b)
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:32]}, "-")
}

// NewSecret is a random client secret: 516 bits in 86 characters, as long as
// those that Keycloak 26.7 makes.
func NewSecret() string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	b := make([]byte, 86)
	_, _ = rand.Read(b)
	for i, v := range b {
		b[i] = alphabet[v&63]
	}
	return string(b)
}

// ServiceAccountName is the username of the user that stands for a client.
func ServiceAccountName(clientID string) string {
	return "service-account-" + strings.ToLower(clientID)
}
