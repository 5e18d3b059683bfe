// Sends a form that a page only shows to be sent, such as the way back from the identity provider.
document.querySelector("form[data-at-once]")?.requestSubmit();
