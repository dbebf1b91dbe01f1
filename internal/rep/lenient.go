package rep

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
)

// Keycloak reads "true" where a boolean is due, "300" where a number is, and true or
// 300 where a text is. Scripts depend on it: kcadm.sh makes a boolean of
// -s 'config."access.token.claim"=true', and a shell that fills in a template
// quotes what is none. What is neither the type nor such a spelling of it is refused.

// read reads a value of type t.
func read(raw json.RawMessage, t reflect.Type) (reflect.Value, error) {
	v := reflect.New(t)
	err := json.Unmarshal(raw, v.Interface())
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); !ok {
		return v.Elem(), err
	}
	v = reflect.New(t) // nothing of the first try
	err = json.Unmarshal(spelled(raw, t), v.Interface())
	return v.Elem(), err
}

// spelled gives a value with every scalar in it spelled as its type is.
func spelled(raw json.RawMessage, t reflect.Type) json.RawMessage {
	if t == reflect.TypeFor[json.RawMessage]() {
		return raw
	}
	switch t.Kind() {
	case reflect.Pointer:
		return spelled(raw, t.Elem())
	case reflect.String:
		return asText(raw)
	case reflect.Bool:
		return unquoted(raw, func(s string) bool { return s == "true" || s == "false" })
	case reflect.Int, reflect.Int64:
		return unquoted(raw, func(s string) bool { _, err := strconv.ParseInt(s, 10, 64); return err == nil })
	case reflect.Slice:
		return each(raw, t.Elem())
	case reflect.Map:
		return members(raw, func(string) reflect.Type { return t.Elem() })
	case reflect.Struct:
		return members(raw, func(name string) reflect.Type { return memberType(t, name) })
	}
	return raw
}

func asText(raw json.RawMessage) json.RawMessage {
	text := string(bytes.TrimSpace(raw))
	if text == "" || text == "null" || strings.ContainsAny(text[:1], `"[{`) {
		return raw
	}
	return json.RawMessage(strconv.Quote(text)) // a number, true or false: nothing to escape
}

func unquoted(raw json.RawMessage, ok func(string) bool) json.RawMessage {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return raw
	}
	if text = strings.ToLower(strings.TrimSpace(text)); !ok(text) {
		return raw
	}
	return json.RawMessage(text)
}

func each(raw json.RawMessage, t reflect.Type) json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return raw
	}
	for i := range list {
		list[i] = spelled(list[i], t)
	}
	return marshalled(list, raw)
}

func members(raw json.RawMessage, typeOf func(name string) reflect.Type) json.RawMessage {
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil {
		return raw
	}
	for name, value := range object {
		if t := typeOf(name); t != nil {
			object[name] = spelled(value, t)
		}
	}
	return marshalled(object, raw)
}

// memberType is the type of a struct's member, nil for one that it lacks.
func memberType(t reflect.Type, name string) reflect.Type {
	for i := range t.NumField() {
		if tag, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); tag == name {
			return t.Field(i).Type
		}
	}
	return nil
}

func marshalled(v any, otherwise json.RawMessage) json.RawMessage {
	out, err := json.Marshal(v)
	if err != nil {
		return otherwise // never: every part of it was JSON
	}
	return out
}

// listed gives a map of lists in which a value alone stands for a list of one, as
// Keycloak reads the attributes of a user.
func listed(raw json.RawMessage) json.RawMessage {
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil {
		return raw
	}
	for name, value := range object {
		if value = bytes.TrimSpace(value); len(value) > 0 && value[0] != '[' && value[0] != '{' && string(value) != "null" {
			object[name] = json.RawMessage("[" + string(value) + "]")
		}
	}
	return marshalled(object, raw)
}
