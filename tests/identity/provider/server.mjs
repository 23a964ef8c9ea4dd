// A genuine OpenID provider (npm `oidc-provider`) on loopback, and a control endpoint for tests.
//
// Prints one JSON line once it accepts: {"issuer", "port", "secrets": {client: secret}}. Ends when its standard input is
// closed, on SIGTERM, and in any case after LIFE_MINUTES. `PORT=…` asks for a port, to come back where it was.
//
// A provider's key set is fixed when it is made. To rotate, a new provider is made, with the same issuer, accounts and
// storage, and takes over between two requests: the port, and what was promised to clients, stay.

import * as crypto from 'node:crypto';
import * as http from 'node:http';
import { promisify } from 'node:util';

// Standard output is for the one line.
for (const name of ['log', 'info', 'warn', 'debug']) console[name] = console.error;
const { Provider } = await import('oidc-provider');

const LIFE_MINUTES = 15;
const GATEWAY = 'copilot-guard';
const ADMIN = 'copilot-guard-admin';

// What a client may ask a token for (RFC 8707: an absolute URI), and the `aud` and `alg` that the token then has.
const RESOURCES = {
  'urn:copilot-guard': { audience: GATEWAY, alg: 'RS256' },
  'urn:copilot-guard:es256': { audience: GATEWAY, alg: 'ES256' },
  'urn:copilot-guard-admin': { audience: ADMIN, alg: 'RS256' },
  'urn:elsewhere': { audience: 'elsewhere', alg: 'RS256' },
};

const GROUPS = {
  dev1: ['developers'],
  rev1: ['security-reviewers'],
  op1: ['operators'],
  aud1: ['auditors'],
  'ci-job': ['ci'],
  stranger: ['ci'],
};
// `dev1-WORD` is another person with the groups of `dev1`, for tests that withdraw somebody.
const groupsOf = (id) => GROUPS[id.split('-', 1)[0]] ?? GROUPS[id];

const SECRETS = { 'ci-job': crypto.randomBytes(24).toString('hex'), stranger: crypto.randomBytes(24).toString('hex') };
const COOKIES = [crypto.randomBytes(24).toString('hex')];
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';

const machine = (client_id) => ({
  client_id,
  client_secret: SECRETS[client_id],
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
});

const CLIENTS = [
  machine('ci-job'),
  machine('stranger'),
  {
    client_id: 'laptop',
    token_endpoint_auth_method: 'none',
    application_type: 'native',
    grant_types: [DEVICE, 'refresh_token'],
    redirect_uris: [],
    response_types: [],
    // Never called: `fetch` below keeps what would be sent.
    backchannel_logout_uri: 'http://127.0.0.1:9/backchannel-logout',
    backchannel_logout_session_required: true,
  },
];

// Storage that outlives a provider.
const stored = new Map();

class Storage {
  constructor(model) {
    this.model = model;
  }

  key(id) {
    return `${this.model}:${id}`;
  }

  async upsert(id, payload, seconds) {
    const ends = typeof seconds === 'number' ? Date.now() + seconds * 1000 : Infinity;
    stored.set(this.key(id), { payload: { ...payload }, ends });
  }

  async find(id) {
    const item = stored.get(this.key(id));
    return item && item.ends > Date.now() ? { ...item.payload } : undefined;
  }

  async search(member, value) {
    for (const [key, { payload, ends }] of stored) {
      if (key.startsWith(`${this.model}:`) && payload[member] === value && ends > Date.now()) return { ...payload };
    }
    return undefined;
  }

  async findByUid(uid) {
    return this.search('uid', uid);
  }

  async findByUserCode(code) {
    return this.search('userCode', code);
  }

  async consume(id) {
    const item = stored.get(this.key(id));
    if (item) item.payload.consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    stored.delete(this.key(id));
  }

  async revokeByGrantId(grant) {
    for (const [key, { payload }] of stored) if (payload.grantId === grant) stored.delete(key);
  }
}

// Keys, the signing one of each kind first.

const generate = promisify(crypto.generateKeyPair);

async function newKey(alg) {
  const { privateKey } =
    alg === 'RS256' ? await generate('rsa', { modulusLength: 2048 }) : await generate('ec', { namedCurve: 'P-256' });
  return { ...privateKey.export({ format: 'jwk' }), kid: `${alg}-${crypto.randomBytes(4).toString('hex')}`, alg, use: 'sig' };
}

let keys = [await newKey('RS256'), await newKey('ES256')];

const base64url = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Signs anything, as the provider would: for tokens that no provider gives away. */
function sign({ alg = 'RS256', header = {}, claims }) {
  const jwk = keys.find((key) => key.alg === alg);
  const input = `${base64url({ alg, typ: 'at+jwt', kid: jwk.kid, ...header })}.${base64url(claims)}`;
  const key = crypto.createPrivateKey({ key: jwk, format: 'jwk' });
  return `${input}.${crypto.sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

// The provider

let issuer;
let provider;
let handle;
const jwks = { fetches: 0, last: null };
let logoutTokens = [];

function configuration() {
  return {
    adapter: Storage,
    clients: CLIENTS,
    jwks: { keys },
    cookies: { keys: COOKIES },
    claims: { openid: ['sub'], email: ['email'], groups: ['groups'] },
    scopes: ['openid', 'offline_access'],
    responseTypes: ['none'],
    pkce: { required: () => false },
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256'] },
    ttl: {
      AccessToken: 600, ClientCredentials: 600, DeviceCode: 120, Grant: 3600, IdToken: 600, Interaction: 120,
      RefreshToken: 3600, Session: 3600,
    },
    features: {
      devInteractions: { enabled: true },
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      revocation: { enabled: true },
      backchannelLogout: { enabled: true },
      userinfo: { enabled: false },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo(_ctx, resource) {
          const wanted = RESOURCES[resource];
          if (!wanted) throw new Error(`no such resource: ${resource}`);
          return {
            audience: wanted.audience, scope: '', accessTokenTTL: 600, accessTokenFormat: 'jwt', jwt: { sign: { alg: wanted.alg } },
          };
        },
      },
    },
    issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    findAccount: (_ctx, id) =>
      groupsOf(id) && { accountId: id, claims: () => ({ sub: id, email: `${id}@example.com`, groups: groupsOf(id) }) },
    extraTokenClaims(ctx, token) {
      if (token.kind === 'ClientCredentials') return { groups: groupsOf(token.clientId), gty: 'client_credentials' };
      const { DeviceCode: code, RefreshToken: refresh } = ctx.oidc.entities;
      return {
        groups: groupsOf(token.accountId),
        email: `${token.accountId}@example.com`,
        sid: token.sid,
        auth_time: (code ?? refresh)?.authTime,
      };
    },
    async fetch(_url, { body }) {
      logoutTokens.push(new URLSearchParams(body).get('logout_token'));
      return new Response(null, { status: 204 });
    },
  };
}

function renew() {
  const next = new Provider(issuer, configuration());
  next.on('server_error', (_ctx, error) => console.error(error));
  next.use(async (ctx, then) => {
    await then();
    if (ctx.oidc?.route === 'jwks') {
      jwks.fetches += 1;
      jwks.last = Date.now();
    }
    // RFC 8628 would have clients poll every five seconds without it.
    if (ctx.oidc?.route === 'device_authorization' && ctx.body?.device_code) ctx.body = { ...ctx.body, interval: 1 };
  });
  provider = next;
  handle = next.callback();
}

// Control

const CONTROL = {
  /** A new key signs; `drop` names one that is not published any more. */
  async rotate({ alg = 'RS256', drop }) {
    const fresh = await newKey(alg);
    keys = [fresh, ...keys].filter((key) => key.kid !== drop);
    renew();
    return { kid: fresh.kid };
  },
  async sign(wanted) {
    return { token: sign(wanted) };
  },
  /** The logout token that the provider itself would send to the client `laptop`. */
  async 'logout-token'({ sub, sid }) {
    logoutTokens = [];
    const client = await provider.Client.find('laptop');
    await client.backchannelLogout(sub, sid);
    return { token: logoutTokens[0] };
  },
  async state() {
    const age = jwks.last === null ? null : (Date.now() - jwks.last) / 1000;
    return { keys: keys.map(({ kid, alg }) => ({ kid, alg })), jwks: { fetches: jwks.fetches, age } };
  },
};

async function control(name, request, response) {
  let text = '';
  for await (const chunk of request) text += chunk;
  const [status, body] = Object.hasOwn(CONTROL, name)
    ? [200, await CONTROL[name](text ? JSON.parse(text) : {})]
    : [404, { error: 'no such control' }];
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

const server = http.createServer((request, response) => {
  if (!request.url.startsWith('/control/')) return handle(request, response);
  return control(request.url.slice('/control/'.length), request, response).catch((error) => {
    console.error(error);
    response.writeHead(500, { 'content-type': 'application/json' }).end(JSON.stringify({ error: String(error) }));
  });
});

server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
  const { port } = server.address();
  issuer = `http://127.0.0.1:${port}`;
  renew();
  process.stdout.write(`${JSON.stringify({ issuer, port, secrets: SECRETS })}\n`);
});

const end = () => process.exit(0);
process.stdin.on('end', end).on('close', end).resume();
process.on('SIGTERM', end);
setTimeout(end, LIFE_MINUTES * 60_000);
