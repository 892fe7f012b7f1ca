// Runs in CloudFront before each request to /api/* goes on to the API, and in the front door of `make run`.
//
// Session. An HTTP API's authorizer reads one header, and browsers send cookies: so session cookies become the
// Authorization header, unless the caller has sent one. A browser may hold several under one name, for any site on a
// parent domain can set its own; which of them is a session of ours only Auth can tell. So all that look like a token go
// on: one as `Bearer <token>`, several as `Session <token> <token> ...`, of which Auth takes the first that is good.
// `__Host-` goes first, since no other site can set it. No more than MOST tokens go on, and no cookies: other sites' junk
// would exceed what API Gateway takes in headers (10,240 bytes), and lock the user out.
//
// Site. Browsers that do not send Sec-Fetch-Site yet send Origin with each write, but the API does not see which host they
// called. The edge does, and says in that header whether the two agree.
//
// Viewer. Behind CloudFront the API sees CloudFront's address alone: whatever a caller claims to be is replaced by what
// the edge sees.

var TOKEN = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
var LONGEST = 1536; // a token with the longest e-mail address that there is has 1,400 characters
var MOST = 5;

// `session` holds the sessions from before the name `__Host-admit-one`. They last 12 hours: it can go in the deployment
// after the one that brings this, and Auth's OLD_COOKIE with it.
var NAMES = ['__Host-admit-one', 'session'];
// Without TLS, as under `make run`, no browser takes a `__Host-` cookie. Behind TLS this name is never read: any site on a
// parent domain could set it.
var NAMES_WITHOUT_TLS = ['admit-one', 'session'];

function tokensIn(cookies, names) {
  var found = [];
  names.forEach(function (name) {
    var cookie = cookies[name];
    var values = cookie ? cookie.multiValue || [cookie] : [];
    values.forEach(function (each) {
      var isToken = each.value.length <= LONGEST && TOKEN.test(each.value);
      if (isToken && found.length < MOST && found.indexOf(each.value) < 0) found.push(each.value);
    });
  });
  return found;
}

function handler(event) {
  var request = event.request;
  var headers = request.headers;
  var forwarded = headers['x-forwarded-proto'];
  var hasTls = !forwarded || forwarded.value !== 'http';

  var tokens = tokensIn(request.cookies, hasTls ? NAMES : NAMES_WITHOUT_TLS);
  if (!headers.authorization && tokens.length > 0) {
    headers.authorization = { value: (tokens.length > 1 ? 'Session ' : 'Bearer ') + tokens.join(' ') };
  }
  Object.keys(request.cookies).forEach(function (name) {
    delete request.cookies[name];
  });

  if (headers.origin && !headers['sec-fetch-site']) {
    var own = (hasTls ? 'https://' : 'http://') + (headers.host ? headers.host.value : '');
    headers['sec-fetch-site'] = { value: headers.origin.value === own ? 'same-origin' : 'cross-site' };
  }

  headers['x-admit-one-viewer'] = { value: event.viewer.ip };
  return request;
}
