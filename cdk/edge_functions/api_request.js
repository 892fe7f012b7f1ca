// Runs in CloudFront for each request to /api/* before it is forwarded to the API, and in the edge proxy of `make run`.
//
// Session. The authorizer of an HTTP API reads one header, and browsers send cookies, so session cookies become the
// Authorization header, unless the caller has sent one. A browser may send several cookies of one name, because any site
// on a parent domain can set its own, and only Auth can verify which of them is valid. So every value in the form of a token is
// forwarded: one as `Bearer <token>`, several as `Session <token> <token> ...`, of which Auth uses the first valid one.
// `__Host-` comes first, since no other site can set it. At most MAX_TOKENS tokens and no cookies are forwarded: cookies of
// other sites could exceed API Gateway's limit for headers (10,240 bytes) and lock the user out.
//
// Device. Signing in needs the device cookies of Auth (functions/auth/device.py), one for each user of the browser. They
// are forwarded in a header of their own, in the same form and number.
//
// Site. Older browsers do not send Sec-Fetch-Site, but send Origin with each write. The API does not see the host that
// was called, so the edge compares Origin with the host and sets Sec-Fetch-Site.
//
// Cache. CloudFront answers requests for public tickets from a cache for a second (cdk/edge.py). A request with
// `Cache-Control: no-cache` gets a unique value in a header of the cache key, so no cached response matches it.
//
// Viewer. Behind CloudFront the API sees only CloudFront's address, so the edge sends the viewer's address in a header.
// It replaces any value that the caller has sent.

var TOKEN = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
var MAX_TOKEN_LENGTH = 1536; // a token has about 400 characters; API Gateway takes headers of 10,240 bytes
var MAX_TOKENS = 5;

// `session` is the name before `__Host-admit-one`. Its sessions last 12 hours: remove it, and OLD_COOKIE in
// functions/auth/session_cookie.py, in the deployment after the one that introduced the new name.
var NAMES = ['__Host-admit-one', 'session'];
// Without TLS, as under `make run`, browsers reject `__Host-` cookies. With TLS this name is never read, because any site
// on a parent domain could set it.
var NAMES_WITHOUT_TLS = ['admit-one', 'session'];
var DEVICE = '__Host-admit-one-device-';
var DEVICE_WITHOUT_TLS = 'admit-one-device-';

var NO_CACHE = /(^|,)\s*no-cache\s*(,|$)/i;
var SIGN_IN = '/api/users/signin';

function tokensIn(cookies, names) {
  var found = [];
  names.forEach(function (name) {
    var cookie = cookies[name];
    var values = cookie ? cookie.multiValue || [cookie] : [];
    values.forEach(function (each) {
      var isToken = each.value.length <= MAX_TOKEN_LENGTH && TOKEN.test(each.value);
      if (isToken && found.length < MAX_TOKENS && found.indexOf(each.value) < 0) found.push(each.value);
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
  delete headers['x-admit-one-device'];
  var devices = tokensIn(request.cookies, Object.keys(request.cookies).filter(function (name) {
    return name.indexOf(hasTls ? DEVICE : DEVICE_WITHOUT_TLS) === 0;
  }));
  if (request.uri === SIGN_IN && devices.length > 0) headers['x-admit-one-device'] = { value: devices.join(' ') };
  Object.keys(request.cookies).forEach(function (name) {
    delete request.cookies[name];
  });

  if (headers.origin && !headers['sec-fetch-site']) {
    var own = (hasTls ? 'https://' : 'http://') + (headers.host ? headers.host.value : '');
    headers['sec-fetch-site'] = { value: headers.origin.value === own ? 'same-origin' : 'cross-site' };
  }

  delete headers['x-admit-one-fresh'];
  if (headers['cache-control'] && NO_CACHE.test(headers['cache-control'].value)) {
    headers['x-admit-one-fresh'] = { value: event.context.requestId };
  }

  headers['x-admit-one-viewer'] = { value: event.viewer.ip };
  return request;
}
