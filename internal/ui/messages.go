package ui

import "strings"

// Messages are the words on the pages, in one language.
type Messages struct {
	Lang, Dir, Name                                                     string
	SignInTitle, ToContinue, WithAccount, Username, UsernameOrEmail     string
	Password, RememberMe, SignIn, OnlyHere                              string
	SorryTitle, BackToApplication, Reason                               string
	LoggingOut, ReallyLogOut, LogOut, LoggedOutTitle, LoggedOutText     string
	PageExpired, GoOn, GoingOn, PressToGoOn                             string
	WrongCredentials, AccountDisabled, Reauthenticate, LoginTookTooLong string
	FormTooOld, SignInTo, SetupDone, SetupDoneText                      string
	SetupTitle, SetupText, SetupButton                                  string
	Busy                                                                string
	PasswordTitle, PasswordMessage, NewPassword, ConfirmPassword        string
	EndSessions, Submit, PasswordMissing, PasswordMismatch              string
	PasswordTooLong, ProfileTitle, ProfileMessage                       string
	Email, FirstName, LastName                                          string
	ValueMissing, ValueLength, ValueCharacter, ValueEmail, ValueTaken   string
}

func english() Messages {
	return Messages{
		Lang: "en", Dir: "ltr", Name: "English", SignInTitle: "Sign in to your account", ToContinue: "to continue to", WithAccount: "with your account",
		Username: "Username", UsernameOrEmail: "Username or email", Password: "Password", RememberMe: "Remember me", SignIn: "Sign in",
		OnlyHere:   "Check the address before you type your password.",
		SorryTitle: "We are sorry...", BackToApplication: "Back to the application", Reason: "Reason",
		LoggingOut: "Logging out", ReallyLogOut: "Do you want to log out?", LogOut: "Log out",
		LoggedOutTitle: "You are logged out", LoggedOutText: "Your session has ended. You can close this page.",
		PageExpired: "Page has expired", GoOn: "Continue", GoingOn: "Going on to the application", PressToGoOn: "If it does not go on by itself, press the button.",
		WrongCredentials: "Invalid username or password.", AccountDisabled: "Account is disabled, contact your administrator.",
		Reauthenticate: "Please re-authenticate to continue", LoginTookTooLong: "Your login attempt timed out. Login will start from the beginning.",
		SignInTo: "Sign in to", SetupDone: "Administrator made", SetupDoneText: "You can log in to realm master now, as",
		FormTooOld: "Action expired. Please continue with login now.",
		SetupTitle: "First administrator", SetupText: "This link works once. Choose a name and a password of at least 8 characters.", SetupButton: "Make administrator",
		Busy:          "Too many people are logging in at this moment. Please try again.",
		PasswordTitle: "Update password", PasswordMessage: "You need to change your password to activate your account.",
		NewPassword: "New password", ConfirmPassword: "Confirm password", EndSessions: "Sign out from other devices", Submit: "Continue",
		PasswordMissing: "Please specify password.", PasswordMismatch: "Passwords don't match.", PasswordTooLong: "The password is too long: it has at most 256 bytes.",
		ProfileTitle: "Update Account Information", ProfileMessage: "You need to update your user profile to activate your account.",
		Email: "Email", FirstName: "First name", LastName: "Last name",
		ValueMissing: "Please specify this field.", ValueLength: "This is too short or too long.", ValueCharacter: "This contains a character that is not allowed.",
		ValueEmail: "Invalid email address.", ValueTaken: "This belongs to another account already.",
	}
}

func german() Messages {
	return Messages{
		Lang: "de", Dir: "ltr", Name: "Deutsch", SignInTitle: "Bei Ihrem Konto anmelden", ToContinue: "weiter zu", WithAccount: "mit Ihrem Konto",
		Username: "Benutzername", UsernameOrEmail: "Benutzername oder E-Mail", Password: "Passwort", RememberMe: "Angemeldet bleiben", SignIn: "Anmelden",
		OnlyHere:   "Prüfen Sie die Adresse, bevor Sie Ihr Passwort eingeben.",
		SorryTitle: "Es tut uns leid …", BackToApplication: "Zurück zur Anwendung", Reason: "Grund",
		LoggingOut: "Abmelden", ReallyLogOut: "Möchten Sie sich abmelden?", LogOut: "Abmelden",
		LoggedOutTitle: "Sie sind abgemeldet", LoggedOutText: "Ihre Sitzung ist beendet. Sie können diese Seite schließen.",
		PageExpired: "Seite ist abgelaufen", GoOn: "Weiter", GoingOn: "Weiter zur Anwendung", PressToGoOn: "Geht es nicht von selbst weiter, drücken Sie den Knopf.",
		WrongCredentials: "Benutzername oder Passwort ungültig.", AccountDisabled: "Das Konto ist deaktiviert. Wenden Sie sich an Ihre Administration.",
		Reauthenticate: "Bitte melden Sie sich erneut an, um fortzufahren", LoginTookTooLong: "Die Anmeldung hat zu lange gedauert. Sie beginnt von vorn.",
		SignInTo: "Anmelden bei", SetupDone: "Administratorkonto angelegt", SetupDoneText: "Sie können sich jetzt im Realm master anmelden, als",
		FormTooOld: "Diese Seite war nicht mehr aktuell. Bitte melden Sie sich jetzt an.",
		SetupTitle: "Erste Administration", SetupText: "Dieser Link gilt einmal. Wählen Sie einen Namen und ein Passwort mit mindestens 8 Zeichen.", SetupButton: "Konto anlegen",
		Busy:          "Gerade melden sich zu viele Personen an. Bitte versuchen Sie es noch einmal.",
		PasswordTitle: "Passwort ändern", PasswordMessage: "Sie müssen Ihr Passwort ändern, um Ihr Konto zu aktivieren.",
		NewPassword: "Neues Passwort", ConfirmPassword: "Passwort bestätigen", EndSessions: "Auf anderen Geräten abmelden", Submit: "Weiter",
		PasswordMissing: "Bitte geben Sie ein Passwort ein.", PasswordMismatch: "Die Passwörter stimmen nicht überein.", PasswordTooLong: "Das Passwort ist zu lang: höchstens 256 Bytes.",
		ProfileTitle: "Kontoangaben ergänzen", ProfileMessage: "Sie müssen Ihre Angaben prüfen, um Ihr Konto zu aktivieren.",
		Email: "E-Mail", FirstName: "Vorname", LastName: "Nachname",
		ValueMissing: "Bitte füllen Sie dieses Feld aus.", ValueLength: "Das ist zu kurz oder zu lang.", ValueCharacter: "Das enthält ein Zeichen, das nicht erlaubt ist.",
		ValueEmail: "Das ist keine E-Mail-Adresse.", ValueTaken: "Das gehört schon zu einem anderen Konto.",
	}
}

// Languages are the languages there are words for, the default first.
func Languages() []string { return []string{"en", "de"} }

// MessagesFor gives the words of a language tag, English for any other.
func MessagesFor(lang string) Messages {
	if base, _, _ := strings.Cut(strings.ToLower(lang), "-"); base == "de" {
		return german()
	}
	return english()
}

// Language chooses from what a person prefers, most wanted first: ui_locales
// (separated by blanks) before an Accept-Language header. Weights are taken in
// the order they stand, which is how browsers write them.
func Language(uiLocales, acceptLanguage string) string {
	const most = 200 // bytes of a header that anybody needs to read
	if len(acceptLanguage) > most {
		acceptLanguage = acceptLanguage[:most]
	}
	wanted := append(strings.Fields(uiLocales), strings.Split(acceptLanguage, ",")...)
	for _, w := range wanted {
		tag, _, _ := strings.Cut(strings.TrimSpace(w), ";")
		base, _, _ := strings.Cut(strings.ToLower(tag), "-")
		for _, have := range Languages() {
			if base == have {
				return have
			}
		}
	}
	return Languages()[0]
}
