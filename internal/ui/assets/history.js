// A page that answers a form takes the address of that step: a reload, or the back button,
// asks for the page and does not send the password once more.
history.replaceState(null, "", document.currentScript.dataset.here);
