package rep

import (
	"encoding/json"
	"fmt"
	"maps"

	"github.com/latchkey-id/latchkey/internal/realm"
)

// Mapper is a ProtocolMapperRepresentation.
type Mapper struct {
	ID              string            `json:"id,omitempty"`
	Name            string            `json:"name"`
	Protocol        string            `json:"protocol"`
	ProtocolMapper  string            `json:"protocolMapper"`
	ConsentRequired bool              `json:"consentRequired"`
	ConsentText     string            `json:"consentText,omitempty"`
	Config          map[string]string `json:"config"`
}

func fromMappers(in []Mapper) []realm.Mapper {
	var out []realm.Mapper
	for _, m := range in {
		out = append(out, realm.Mapper{ID: m.ID, Name: m.Name, Protocol: m.Protocol, Type: m.ProtocolMapper, Config: m.Config})
	}
	return out
}

func toMappers(in []realm.Mapper) []Mapper {
	var out []Mapper
	for _, m := range in {
		if m.Config == nil {
			m.Config = map[string]string{}
		}
		out = append(out, Mapper{ID: m.ID, Name: m.Name, Protocol: m.Protocol, ProtocolMapper: m.Type, Config: m.Config})
	}
	return out
}

// DecodeMapper reads a ProtocolMapperRepresentation over what into has already.
func DecodeMapper(doc []byte, into *realm.Mapper) error {
	o, err := parse(doc)
	if err != nil {
		return err
	}
	m := toMappers([]realm.Mapper{*into})[0]
	m.Config = nil
	err = o.fill("ProtocolMapperRepresentation", []field{{"id", &m.ID}, {"name", &m.Name}, {"protocol", &m.Protocol}, {"protocolMapper", &m.ProtocolMapper},
		{"consentRequired", &m.ConsentRequired}, {"consentText", &m.ConsentText}, {"config", &m.Config}}, nil, nil)
	if err != nil {
		return err
	}
	if m.Config == nil {
		m.Config = into.Config
	}
	*into = fromMappers([]Mapper{m})[0]
	return nil
}

// DecodeMappers reads a list of ProtocolMapperRepresentations.
func DecodeMappers(doc []byte) ([]realm.Mapper, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal(doc, &raw); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrType, err)
	}
	var out []realm.Mapper
	for _, doc := range raw {
		var m realm.Mapper
		if err := DecodeMapper(doc, &m); err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// Mappers are the representations of mappers; no mappers are an empty list.
func Mappers(in []realm.Mapper) []Mapper {
	out := toMappers(in)
	if out == nil {
		out = []Mapper{}
	}
	return out
}

// DecodeClientScope reads a ClientScopeRepresentation over what into has already.
// Sent attributes are set one by one, the others stay.
func DecodeClientScope(doc []byte, into *realm.ClientScope) error {
	o, err := parse(doc)
	if err != nil {
		return err
	}
	mappers, attributes := toMappers(into.Mappers), maps.Clone(into.Attributes)
	fields := []field{{"id", &into.ID}, {"name", &into.Name}, {"description", &into.Description}, {"protocol", &into.Protocol},
		{"attributes", &into.Attributes}, {"protocolMappers", &mappers}}
	if err := o.fill("ClientScopeRepresentation", fields, nil, &into.Extra); err != nil {
		return err
	}
	into.Mappers = fromMappers(mappers)
	if attributes == nil {
		return nil
	}
	maps.Copy(attributes, into.Attributes)
	into.Attributes = attributes
	return nil
}

// EncodeClientScope is what GET of a client scope answers, and what a file holds.
func EncodeClientScope(s *realm.ClientScope) (json.RawMessage, error) {
	attributes := s.Attributes
	if attributes == nil {
		attributes = map[string]string{}
	}
	return encode([]field{{"id", s.ID}, {"name", s.Name}, {"description", optional(s.Description)}, {"protocol", s.Protocol}, {"attributes", attributes},
		{"protocolMappers", toMappers(s.Mappers)}}, nil, nil)
}
