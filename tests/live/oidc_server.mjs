// A certified OpenID provider (npm `oidc-provider`) on loopback with two confidential clients and opaque tokens.
//
// REVOCATION says who may revoke whose tokens: `strict` is the server's own policy, which refuses foreign tokens with 400;
// `silent` answers 200 to them and changes nothing, as RFC 7009 section 2.2 lets servers do and older releases did;
// `console` lets the console's client revoke all tokens, as an operator would configure it.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(`${process.env.OIDC_MODULES}/package.json`);
const { Provider } = await import(pathToFileURL(require.resolve('oidc-provider')).href);
const port = Number(process.env.PORT);
const issuer = `http://127.0.0.1:${port}`;

const client = (client_id, scope) => ({
  client_id,
  client_secret: `${client_id}-live-secret-0123456789abcdef`,
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  scope,
});
const revocation = { enabled: true };
const own = (asking, token) => token.clientId === asking.clientId;
if (process.env.REVOCATION === 'silent') {
  revocation.allowedPolicy = (_ctx, asking, token) => own(asking, token);
} else if (process.env.REVOCATION === 'console') {
  revocation.allowedPolicy = (_ctx, asking, token) => asking.clientId === 'soc-console' || own(asking, token);
}

const provider = new Provider(issuer, {
  clients: [client('svc-deployer', 'deploy:write'), client('soc-console', 'openid')],
  scopes: ['openid', 'deploy:write'],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    revocation,
  },
  ttl: { ClientCredentials: 600 },
});
provider.on('server_error', (_ctx, error) => console.error(error));
provider.listen(port, '127.0.0.1', () => console.log('listening', issuer));
