package latchkey

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestWhoHangsUpIsNoFailureOfTheApplications(t *testing.T) {
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	for _, c := range []struct {
		name  string
		ctx   context.Context
		cause error
		want  slog.Level
	}{
		{"gone", gone, fmt.Errorf("token endpoint: %w", context.Canceled), slog.LevelInfo},
		{"gone, and something else failed", gone, errors.New("bad signature"), slog.LevelError},
		{"there, and the work was given up", t.Context(), context.Canceled, slog.LevelError},
		{"there, without a cause", t.Context(), nil, slog.LevelError},
	} {
		if got := level(httptest.NewRequestWithContext(c.ctx, http.MethodGet, "/", nil), c.cause); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
