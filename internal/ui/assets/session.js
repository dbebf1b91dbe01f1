// The session iframe (OpenID Connect Session Management 1.0, section 3.2): an application posts
// "client_id session_state" and is told "unchanged", "changed" or "error". The server is asked
// once a page at most, so that a flood of messages is no flood of requests.
(function () {
  "use strict";
  var question; // {client, origin, answer}: the one question to the server

  window.addEventListener("message", function (event) {
    var parts = typeof event.data === "string" ? event.data.split(" ") : [];
    if (parts.length !== 2 || !event.source || event.origin === "null") {
      return;
    }
    status(parts[0], event.origin, parts[1]).then(function (text) {
      event.source.postMessage(text, event.origin);
    });
  });

  function status(client, origin, state) {
    return mayReadCookies().then(function (may) {
      return may && registered(client, origin);
    }).then(function (ok) {
      var cookie = sessionCookie();
      if (!ok) {
        return "error";
      }
      if (!cookie) {
        return state === "" ? "unchanged" : "changed";
      }
      return hash(state).then(function (h) {
        return h === cookie ? "unchanged" : "changed";
      });
    }).catch(function () {
      return "error";
    });
  }

  function registered(client, origin) {
    if (!question) {
      var at = location.origin + location.pathname + "/init?client_id=" + encodeURIComponent(client) + "&origin=" + encodeURIComponent(origin);
      question = { client: client, origin: origin, answer: fetch(at).then(function (response) { return response.ok; }) };
    }
    return question.client === client && question.origin === origin && question.answer;
  }

  // A browser that keeps cookies of other sites apart says so here.
  function mayReadCookies() {
    if (!document.hasStorageAccess) {
      return Promise.resolve(true);
    }
    return document.hasStorageAccess().then(function (has) {
      return has || document.requestStorageAccess().then(function () { return true; });
    });
  }

  function sessionCookie() {
    var found = document.cookie.split("; ").filter(function (c) { return c.indexOf("KEYCLOAK_SESSION=") === 0; });
    return found.length > 0 ? found[0].slice("KEYCLOAK_SESSION=".length) : "";
  }

  // The cookie is base64url(SHA-384(session id)): it proves nothing to the server.
  function hash(text) {
    return crypto.subtle.digest("SHA-384", new TextEncoder().encode(text)).then(function (sum) {
      var bytes = String.fromCharCode.apply(null, new Uint8Array(sum));
      return btoa(bytes).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
    });
  }
})();
