package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/latchkey-id/latchkey/internal/provider"
)

// importAll makes the realms of the files and folders given by --import.
func importAll(ctx context.Context, e *Env, p *provider.Provider, o serveFlags) error {
	for _, path := range o.imports {
		docs, err := realmDocs(path)
		if err != nil {
			return fmt.Errorf("--import: %w", err)
		}
		for _, d := range docs {
			name, made, err := p.Manage.Import(ctx, d.doc, o.accept)
			if err != nil {
				return fmt.Errorf("--import %s: %w", d.file, err)
			}
			if made {
				fmt.Fprintf(e.Stderr, "latchkey: realm %q imported from %s\n", name, d.file)
			} else {
				fmt.Fprintf(e.Stderr, "latchkey: realm %q exists already; %s changes nothing\n", name, d.file)
			}
		}
	}
	return nil
}

// realmDoc is one realm file, with the users of its users files.
type realmDoc struct {
	file string
	doc  []byte
}

// usersFile is how Keycloak names the parts of a folder export beside
// NAME-realm.json.
var usersFile = regexp.MustCompile(`-users-\d+\.json$`)

// realmDocs reads a file, or the JSON files of a folder.
func realmDocs(path string) ([]realmDoc, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		b, err := os.ReadFile(path)
		return []realmDoc{{path, b}}, err
	}
	files, err := filepath.Glob(filepath.Join(path, "*.json"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s holds no .json file", path)
	}
	if err != nil {
		return nil, err
	}
	return readFolder(files)
}

// readFolder puts users files to their realm files. One without a realm file is
// an error: its users would be lost without a word.
func readFolder(files []string) ([]realmDoc, error) {
	var docs []realmDoc
	users, from := map[string][]json.RawMessage{}, map[string]string{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if !usersFile.MatchString(file) {
			docs = append(docs, realmDoc{file, b})
			continue
		}
		var part struct {
			Realm string            `json:"realm"`
			Users []json.RawMessage `json:"users"`
		}
		if err := json.Unmarshal(b, &part); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		users[part.Realm], from[part.Realm] = append(users[part.Realm], part.Users...), file
	}
	for i, d := range docs {
		name, merged, err := withUsers(d, users)
		if err != nil {
			return nil, err
		}
		docs[i].doc = merged
		delete(users, name)
	}
	for name := range users {
		return nil, fmt.Errorf("%s holds users of realm %q, and there is no file of that realm beside it", from[name], name)
	}
	return docs, nil
}

func withUsers(d realmDoc, users map[string][]json.RawMessage) (name string, doc []byte, err error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(d.doc, &members); err != nil {
		return "", nil, fmt.Errorf("%s: %w", d.file, err)
	}
	if err := json.Unmarshal(members["realm"], &name); err != nil || len(users[name]) == 0 {
		return name, d.doc, nil // a file without a name is refused where it is imported
	}
	var own []json.RawMessage
	if raw, ok := members["users"]; ok {
		if err := json.Unmarshal(raw, &own); err != nil {
			return "", nil, fmt.Errorf("%s: users: %w", d.file, err)
		}
	}
	if members["users"], err = json.Marshal(append(own, users[name]...)); err != nil {
		return "", nil, err
	}
	doc, err = json.Marshal(members)
	return name, doc, err
}
