package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Keycloak exports a folder with NAME-realm.json and NAME-users-N.json.
func TestRealmDocsOfAFolder(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		users int
		want  string // of the error
	}{
		{"users files belong to their realm", map[string]string{"a-realm.json": `{"realm":"a","users":[{"username":"one"}]}`, "a-users-0.json": `{"realm":"a","users":[{"username":"two"}]}`,
			"a-users-1.json": `{"realm":"a","users":[{"username":"three"}]}`}, 3, ""},
		{"a realm file alone", map[string]string{"a-realm.json": `{"realm":"a"}`}, 0, ""},
		{"users of a realm that is not there", map[string]string{"a-realm.json": `{"realm":"a"}`, "b-users-0.json": `{"realm":"b","users":[]}`}, 0, "no file of that realm"},
		{"a users file that breaks off", map[string]string{"a-users-0.json": `{"realm":`}, 0, "a-users-0.json"},
		{"a realm file that breaks off", map[string]string{"a-realm.json": `{"realm":`}, 0, "a-realm.json"},
		{"nothing", nil, 0, "no .json file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range c.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			docs, err := realmDocs(dir)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v", err)
				}
				return
			}
			var got struct{ Users []any }
			if err != nil || len(docs) != 1 || json.Unmarshal(docs[0].doc, &got) != nil || len(got.Users) != c.users {
				t.Errorf("%d documents, %d users, %v", len(docs), len(got.Users), err)
			}
		})
	}
}
