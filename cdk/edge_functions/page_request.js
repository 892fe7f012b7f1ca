// Runs in CloudFront before each request for the web client, and in the front door of `make run`.
//
// The client's pages have paths of their own and one file. What has no dot in its last part is a page; a file that is
// missing stays missing. An error page for the whole distribution would turn the API's own 404s into HTML.

function handler(event) {
  var request = event.request;
  if (request.uri.lastIndexOf('.') < request.uri.lastIndexOf('/')) {
    request.uri = '/index.html';
  }
  return request;
}
