// Runs in CloudFront for each request to the web client, and in the edge proxy of `make run`.
//
// Pages of the client are served by two documents (web/shell.ts): `/` by index.html, all others by page.html. A path
// without a dot in its last segment is a page; a missing file remains a 404. A custom error page is no alternative: it
// applies to the whole distribution, so it would also replace the API's 404 responses with HTML.
//
// Of the well-known paths (RFC 8615) only the page where a password is changed exists: browsers believe that it does if
// another well-known path is a 404.

function handler(event) {
  var request = event.request;
  var isWellKnown = request.uri.startsWith('/.well-known/') && request.uri !== '/.well-known/change-password';
  if (!isWellKnown && request.uri.lastIndexOf('.') < request.uri.lastIndexOf('/')) {
    request.uri = request.uri === '/' ? '/index.html' : '/page.html';
  }
  return request;
}
