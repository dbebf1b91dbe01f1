// Does this browser let us keep a cookie inside another site's page? The first of two pages
// tries to set one; the second looks whether it is there and tells the page around.
(function () {
  "use strict";
  function tell(text) {
    window.parent.postMessage(text, "*"); // whoever it is: it says nothing of anybody
  }
  function attempt() {
    var flags = location.protocol === "https:" ? "; SameSite=None; Secure" : "";
    document.cookie = "LATCHKEY_THIRD_PARTY=yes; Max-Age=60" + flags;
    location.replace("step2.html");
  }
  if (!document.hasStorageAccess) {
    attempt();
    return;
  }
  document.hasStorageAccess().then(function (has) {
    return has || document.requestStorageAccess();
  }).then(attempt).catch(function () { tell("unsupported"); });
})();
