// Runs in CloudFront before each request to /api/* goes on to the API, and in the front door of `make run`.
//
// An HTTP API's authorizer reads one header, and browsers send a cookie: so the session cookie becomes the
// Authorization header, unless the caller has sent one. And the API must know who calls, for behind CloudFront it sees
// CloudFront's address alone: whatever a caller claims to be is replaced by what the edge sees.

var TOKEN = /^[A-Za-z0-9._~+\/=-]{1,4096}$/;

function handler(event) {
  var request = event.request;
  var session = request.cookies.session;
  if (!request.headers.authorization && session && TOKEN.test(session.value)) {
    request.headers.authorization = { value: 'Bearer ' + session.value };
  }
  request.headers['x-admit-one-viewer'] = { value: event.viewer.ip };
  return request;
}
