// Runs in CloudFront for each request to the web client, and in the edge proxy of `make run`.
//
// Pages of the client are served by two documents (web/shell.ts): `/` by index.html, all others by page.html. A path
// without a dot in its last segment is a page; a missing file remains a 404. A custom error page is no alternative: it
// applies to the whole distribution, so it would also replace the API's 404 responses with HTML.

function handler(event) {
  var request = event.request;
  if (request.uri.lastIndexOf('.') < request.uri.lastIndexOf('/')) {
    request.uri = request.uri === '/' ? '/index.html' : '/page.html';
  }
  return request;
}
