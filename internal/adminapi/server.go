package adminapi

import (
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/realm"
)

// dialect is the version of Keycloak whose admin API this is. Clients choose their
// requests by it, and refuse a server that names none.
const dialect = "26.7.4"

func serverRoutes() []route {
	edit := []string{"manage-realm"}
	return []route{
		{http.MethodGet, "serverinfo", nil, (*API).serverInfo},
		{http.MethodPost, "realms/{realm}/clear-realm-cache", edit, (*API).clearCache},
		{http.MethodPost, "realms/{realm}/clear-user-cache", edit, (*API).clearCache},
		{http.MethodPost, "realms/{realm}/clear-keys-cache", edit, (*API).clearCache},
	}
}

// serverInfo tells administrators of any realm what clients look for before they
// begin: the version of the dialect, and the mapper types.
func (a *API) serverInfo(c *call) error {
	if !c.anywhere {
		return errForbidden
	}
	types := map[string][]map[string]string{}
	for _, id := range realm.MapperTypes() {
		protocol := map[string]string{"oidc": "openid-connect", "docker": "docker-v2"}[strings.Split(id, "-")[0]]
		if protocol == "" {
			protocol = "saml"
		}
		types[protocol] = append(types[protocol], map[string]string{"id": id})
	}
	return c.json(map[string]any{"systemInfo": map[string]any{"version": dialect, "serverTime": a.Now().UTC().Format(time.UnixDate), "osName": runtime.GOOS,
		"osArchitecture": runtime.GOARCH}, "protocolMapperTypes": types})
}

// clearCache drops what is kept of the realm; users are never kept.
func (a *API) clearCache(c *call) error {
	a.Store.Forget(c.realm.ID)
	return c.noContent()
}
