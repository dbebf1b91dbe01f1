// The second of two pages: is the cookie there that the first one set?
(function () {
  "use strict";
  var flags = location.protocol === "https:" ? "; SameSite=None; Secure" : "";
  var there = document.cookie.indexOf("LATCHKEY_THIRD_PARTY=yes") >= 0;
  document.cookie = "LATCHKEY_THIRD_PARTY=; Max-Age=0" + flags;
  window.parent.postMessage(there ? "supported" : "unsupported", "*");
})();
