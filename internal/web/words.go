package web

import (
	"net/http"
	"strings"

	"github.com/latchkey-id/latchkey/internal/oauth"
)

// words says in a person's language what happened, and what they can do. The English
// "what" is the description that the protocol sends, in Keycloak's words.
func words(lang string, a oauth.Answer, reason oauth.Reason) (what, do string) {
	if lang == "de" {
		return whatGerman(a, reason), adviceGerman(reason)
	}
	return whatEnglish(a), advice(reason)
}

func whatEnglish(a oauth.Answer) string {
	if a.Description != "" {
		return a.Description
	}
	if a.Status >= http.StatusInternalServerError {
		return "Something went wrong on our side."
	}
	return strings.ReplaceAll(a.Code, "_", " ")
}

// advice says what a person can do. A reason without a line gets the general one.
func advice(reason oauth.Reason) string {
	switch reason {
	case oauth.RedirectURIInvalid:
		return "The application sent an address to return to that is not registered for it. Whoever runs the application can add it to its valid redirect URIs."
	case oauth.AuthClientNotFound, oauth.AuthClientDisabled, oauth.AuthClientMissing:
		return "The application's client_id is not known here, or is switched off. Whoever runs the application can compare it with the clients of this realm."
	case oauth.CookieMissing:
		return "It may have expired, or cookies are switched off for this site. Allow cookies, go back to the application and sign in again."
	case oauth.RequestUnknown:
		return "Go back to the application and sign in again."
	case oauth.HashingBusy, oauth.Unavailable:
		return "Please try again in a few seconds."
	case oauth.LogoutRedirectInvalid, oauth.HintInvalid, oauth.LogoutHintMissing, oauth.LogoutFailed:
		return "You may still be logged in. Go back to the application and log out again."
	case oauth.UnenforcedPolicy:
		return "The login is refused because it would be weaker than this realm asks for. An administrator finds the setting by the name above."
	case oauth.RegistrationNotAllowed:
		return "Nobody can make an account for themselves here. Whoever runs this login can make one for you."
	case oauth.AuthRealmDisabled, oauth.RealmDisabled:
		return "This login is switched off. Whoever runs it can say when it is back."
	case oauth.HTTPSRequired:
		return "Open the same address with https."
	case oauth.CrossSiteForm:
		return "Go back to the application and sign in again. If it happens once more, the address of this page is not the public address (--url) that the server was started with."
	case oauth.SetupLinkUsed:
		return "While there is no administrator, the server prints a new link whenever it starts."
	}
	return "Go back to the application and try again. If it happens once more, give the reason and the number below to whoever runs it."
}

func whatGerman(a oauth.Answer, reason oauth.Reason) string {
	switch reason {
	case oauth.RedirectURIInvalid:
		return "Die Rücksprungadresse der Anwendung ist ungültig."
	case oauth.AuthClientNotFound, oauth.AuthClientMissing:
		return "Die Anwendung ist hier nicht bekannt."
	case oauth.AuthClientDisabled:
		return "Die Anwendung ist abgeschaltet."
	case oauth.AuthBearerOnly:
		return "Mit dieser Anwendung kann man sich nicht im Browser anmelden."
	case oauth.CookieMissing:
		return "Das Cookie dieser Anmeldung fehlt."
	case oauth.RequestUnknown:
		return "Die Seite ist abgelaufen."
	case oauth.HashingBusy:
		return "Gerade melden sich zu viele Personen auf einmal an."
	case oauth.Unavailable:
		return "Die Datenbank des Servers antwortet nicht."
	case oauth.LogoutRedirectInvalid, oauth.HintInvalid, oauth.LogoutHintMissing, oauth.LogoutFailed:
		return "Die Abmeldung ist fehlgeschlagen."
	case oauth.UnenforcedPolicy:
		return "Eine Vorgabe dieses Bereichs setzt dieser Server nicht durch: " + a.Description[strings.LastIndex(a.Description, ":")+1:]
	case oauth.RegistrationNotAllowed:
		return "Die Registrierung ist nicht erlaubt."
	case oauth.AuthRealmDisabled, oauth.RealmDisabled:
		return "Diese Anmeldung ist abgeschaltet."
	case oauth.HTTPSRequired:
		return "Hier ist https nötig."
	case oauth.CrossSiteForm:
		return "Dieses Formular kam von einer anderen Adresse."
	case oauth.TooLarge:
		return "Die Anfrage ist zu groß."
	case oauth.SetupLinkUsed:
		return "Dieser Link ist schon benutzt oder zu alt."
	}
	if a.Status >= http.StatusInternalServerError {
		return "Bei uns ist etwas schiefgegangen."
	}
	return "Die Anfrage ist ungültig."
}

func adviceGerman(reason oauth.Reason) string {
	switch reason {
	case oauth.RedirectURIInvalid:
		return "Die Anwendung hat eine Rücksprungadresse geschickt, die für sie nicht eingetragen ist. Wer die Anwendung betreibt, kann sie bei den gültigen Adressen ergänzen."
	case oauth.AuthClientNotFound, oauth.AuthClientDisabled, oauth.AuthClientMissing:
		return "Wer die Anwendung betreibt, kann ihre client_id mit den hier eingetragenen Anwendungen vergleichen."
	case oauth.CookieMissing:
		return "Vielleicht ist es abgelaufen, oder Cookies sind für diese Seite abgeschaltet. Erlauben Sie Cookies, gehen Sie zurück zur Anwendung und melden Sie sich noch einmal an."
	case oauth.RequestUnknown:
		return "Gehen Sie zurück zur Anwendung und melden Sie sich noch einmal an."
	case oauth.HashingBusy, oauth.Unavailable:
		return "Bitte versuchen Sie es in einigen Sekunden noch einmal."
	case oauth.LogoutRedirectInvalid, oauth.HintInvalid, oauth.LogoutHintMissing, oauth.LogoutFailed:
		return "Vielleicht sind Sie noch angemeldet. Gehen Sie zurück zur Anwendung und melden Sie sich noch einmal ab."
	case oauth.UnenforcedPolicy:
		return "Die Anmeldung wäre schwächer, als es hier verlangt ist. Eine Administratorin oder ein Administrator findet die Einstellung unter dem genannten Namen."
	case oauth.RegistrationNotAllowed:
		return "Niemand kann sich hier selbst ein Konto anlegen. Wer diese Anmeldung betreibt, kann Ihnen eines anlegen."
	case oauth.AuthRealmDisabled, oauth.RealmDisabled:
		return "Wer sie betreibt, kann sagen, wann sie wieder da ist."
	case oauth.HTTPSRequired:
		return "Öffnen Sie dieselbe Adresse mit https."
	case oauth.CrossSiteForm:
		return "Gehen Sie zurück zur Anwendung und melden Sie sich noch einmal an. Geschieht es wieder, ist die Adresse dieser Seite nicht die öffentliche (--url), mit der der Server gestartet wurde."
	case oauth.SetupLinkUsed:
		return "Solange es kein Administratorkonto gibt, gibt der Server bei jedem Start einen neuen Link aus."
	}
	return "Gehen Sie zurück zur Anwendung und versuchen Sie es noch einmal. Geschieht es wieder, nennen Sie dem Betreiber den Grund und die Nummer."
}
