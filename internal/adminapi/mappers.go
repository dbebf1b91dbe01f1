package adminapi

import (
	"maps"
	"net/http"
	"slices"

	"github.com/latchkey-id/latchkey/internal/realm"
	"github.com/latchkey-id/latchkey/internal/rep"
)

// mapperRoutes are the same for the mappers of a client and of a client scope.
func mapperRoutes() []route {
	view := []string{"view-clients", "manage-clients"}
	edit := []string{"manage-clients"}
	var out []route
	for _, owner := range []string{"realms/{realm}/clients/{client}/protocol-mappers", "realms/{realm}/client-scopes/{scope}/protocol-mappers"} {
		out = append(out,
			route{http.MethodGet, owner + "/models", view, (*API).listMappers},
			route{http.MethodPost, owner + "/models", edit, (*API).createMapper},
			route{http.MethodGet, owner + "/models/{mapper}", view, (*API).showMapper},
			route{http.MethodPut, owner + "/models/{mapper}", edit, (*API).updateMapper},
			route{http.MethodDelete, owner + "/models/{mapper}", edit, (*API).deleteMapper},
			route{http.MethodGet, owner + "/protocol/{protocol}", view, (*API).listMappers},
			route{http.MethodPost, owner + "/add-models", edit, (*API).createMappers})
	}
	return out
}

// mapping is a client or a client scope with its mappers.
type mapping struct {
	mappers []realm.Mapper
	save    func(mappers []realm.Mapper) error
}

// mappersOf gives the mappers of the path's client or client scope, for reading or
// for a change.
func (a *API) mappersOf(c *call, change bool) (*mapping, error) {
	if c.path["client"] == "" {
		sc, err := a.clientScope(c)
		if err != nil {
			return nil, err
		}
		return &mapping{sc.Mappers, func(m []realm.Mapper) error {
			changed := *sc
			changed.Mappers = m
			return a.Store.UpdateClientScope(c.ctx(), &changed)
		}}, nil
	}
	look := a.client
	if change {
		look = a.manageableClient
	}
	cl, err := look(c)
	if err != nil {
		return nil, err
	}
	return &mapping{cl.Mappers, func(m []realm.Mapper) error {
		changed := *cl
		changed.Mappers = m
		return a.Store.UpdateClient(c.ctx(), &changed, nil)
	}}, nil
}

func (a *API) listMappers(c *call) error {
	m, err := a.mappersOf(c, false)
	if err != nil {
		return err
	}
	found := slices.DeleteFunc(slices.Clone(m.mappers), func(one realm.Mapper) bool { return c.path["protocol"] != "" && one.Protocol != c.path["protocol"] })
	return c.json(rep.Mappers(found))
}

// place finds a mapper by its id.
func place(mappers []realm.Mapper, id string) (int, error) {
	i := slices.IndexFunc(mappers, func(one realm.Mapper) bool { return one.ID == id })
	if i < 0 {
		return 0, notFound("Model not found")
	}
	return i, nil
}

func (a *API) showMapper(c *call) error {
	m, err := a.mappersOf(c, false)
	if err != nil {
		return err
	}
	i, err := place(m.mappers, c.path["mapper"])
	if err != nil {
		return err
	}
	return c.json(rep.Mappers(m.mappers[i : i+1])[0])
}

// changeMappers reads the mappers of the path's owner, for a change that the body
// asks for, and saves what change makes of them.
func (a *API) changeMappers(c *call, change func(body []byte, mappers []realm.Mapper) ([]realm.Mapper, error)) error {
	m, err := a.mappersOf(c, true)
	if err != nil {
		return err
	}
	b, err := c.body(maxBody)
	if err != nil {
		return err
	}
	changed, err := change(b, m.mappers)
	if err != nil {
		return err
	}
	return m.save(changed)
}

func (a *API) createMapper(c *call) error {
	var id string
	err := a.changeMappers(c, func(body []byte, mappers []realm.Mapper) ([]realm.Mapper, error) {
		one := realm.Mapper{}
		if err := rep.DecodeMapper(body, &one); err != nil {
			return nil, err
		}
		mappers, err := added(mappers, one)
		if err != nil {
			return nil, err
		}
		id = mappers[len(mappers)-1].ID
		return mappers, nil
	})
	if err != nil {
		return err
	}
	return c.created(id)
}

func (a *API) createMappers(c *call) error {
	err := a.changeMappers(c, func(body []byte, mappers []realm.Mapper) ([]realm.Mapper, error) {
		sent, err := rep.DecodeMappers(body)
		if err != nil {
			return nil, err
		}
		for _, one := range sent {
			if mappers, err = added(mappers, one); err != nil {
				return nil, err
			}
		}
		return mappers, nil
	})
	if err != nil {
		return err
	}
	return c.noContent()
}

// added puts one mapper behind the others, checked and completed.
func added(mappers []realm.Mapper, one realm.Mapper) ([]realm.Mapper, error) {
	if one.Protocol == "" {
		one.Protocol = "openid-connect"
	}
	one.ID = realm.NewID()
	if err := checkMapper(mappers, one); err != nil {
		return nil, err
	}
	return append(slices.Clone(mappers), completed(one)), nil
}

// completed: unless said, introspection shows what the access token holds.
func completed(one realm.Mapper) realm.Mapper {
	_, said := one.Config["introspection.token.claim"]
	if inToken := one.Config["access.token.claim"]; !said && inToken != "" {
		one.Config = maps.Clone(one.Config)
		one.Config["introspection.token.claim"] = inToken
	}
	return one
}

// checkMapper refuses a name that another mapper has and a type that nobody knows:
// on every change, because a type that is exchanged later is a type too
// (CVE-2026-15572).
func checkMapper(mappers []realm.Mapper, one realm.Mapper) error {
	if one.Name == "" {
		return refusal{http.StatusBadRequest, "a mapper needs a name", true}
	}
	if !slices.Contains(realm.MapperTypes(), one.Type) {
		return notFound("ProtocolMapper provider not found")
	}
	if slices.ContainsFunc(mappers, func(other realm.Mapper) bool {
		return other.Name == one.Name && other.Protocol == one.Protocol && other.ID != one.ID
	}) {
		return refusal{http.StatusConflict, "Protocol mapper exists with same name", true}
	}
	return nil
}

func (a *API) updateMapper(c *call) error {
	err := a.changeMappers(c, func(body []byte, mappers []realm.Mapper) ([]realm.Mapper, error) {
		i, err := place(mappers, c.path["mapper"])
		if err != nil {
			return nil, err
		}
		one := mappers[i]
		if err := rep.DecodeMapper(body, &one); err != nil {
			return nil, err
		}
		one.ID = mappers[i].ID
		if err := checkMapper(mappers, one); err != nil {
			return nil, err
		}
		changed := slices.Clone(mappers)
		changed[i] = completed(one)
		return changed, nil
	})
	if err != nil {
		return err
	}
	return c.noContent()
}

func (a *API) deleteMapper(c *call) error {
	err := a.changeMappers(c, func(_ []byte, mappers []realm.Mapper) ([]realm.Mapper, error) {
		i, err := place(mappers, c.path["mapper"])
		if err != nil {
			return nil, err
		}
		return slices.Delete(slices.Clone(mappers), i, i+1), nil
	})
	if err != nil {
		return err
	}
	return c.noContent()
}
