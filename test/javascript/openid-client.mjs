// A program on openid-client: code flow with PKCE, userinfo, refresh, introspection,
// revocation and logout, as the library's documentation writes them. A person's part,
// the login page, is played by a few lines of fetch. The values come from the guide's
// variables; what the library made of each answer goes to stdout as one JSON object.
import { webcrypto } from 'node:crypto'

globalThis.crypto ??= webcrypto // Node.js 18 keeps it in its module
const client = await import('openid-client')

const { ISSUER, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, USERNAME, PASSWORD } = process.env
const config = await client.discovery(new URL(ISSUER), CLIENT_ID, undefined, client.ClientSecretBasic(CLIENT_SECRET), { execute: [client.allowInsecureRequests] })
client.enableNonRepudiationChecks(config) // signatures are looked at although TLS would do

// A browser as far as a login needs one.
const jar = new Map()
async function browse (address, form) {
  const headers = { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') }
  const response = await fetch(address, { method: form ? 'POST' : 'GET', body: form, headers, redirect: 'manual' })
  for (const line of response.headers.getSetCookie()) {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)
    jar.set(name, value)
  }
  return response
}

async function login (address) {
  const page = await browse(address)
  if (page.status === 302) {
    return page.headers.get('location')
  }
  const action = /<form[^>]*\baction="([^"]+)"/.exec(await page.text())[1].replaceAll('&amp;', '&')
  const answer = await browse(new URL(action, address), new URLSearchParams({ username: USERNAME, password: PASSWORD, credentialId: '' }))
  return answer.headers.get('location')
}

async function authorize (parameters) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const [expectedState, expectedNonce] = [client.randomState(), client.randomNonce()]
  const callback = await login(client.buildAuthorizationUrl(config, {
    redirect_uri: REDIRECT_URI, scope: 'openid email', state: expectedState, nonce: expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier), code_challenge_method: 'S256', ...parameters
  }))
  return await client.authorizationCodeGrant(config, new URL(callback), { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true })
}

// What an error says: the code of the protocol, or the library's own word.
const failure = promise => promise.then(() => 'no error', e => e.error ?? e.code ?? String(e))

const seen = {}
seen['nobody there, prompt=none'] = await failure(authorize({ prompt: 'none' }))
const tokens = await authorize()
seen.sub = tokens.claims().sub
seen['token type'] = tokens.token_type
seen.userinfo = await client.fetchUserInfo(config, tokens.access_token, seen.sub)
seen['userinfo of somebody else'] = await failure(client.fetchUserInfo(config, tokens.access_token, 'somebody else'))
const again = await authorize({ prompt: 'none', max_age: '600' })
seen['one login for both'] = again.claims().sub === seen.sub && again.claims().auth_time === tokens.claims().auth_time
const fresh = await client.refreshTokenGrant(config, tokens.refresh_token)
seen['refreshed, the same person'] = fresh.claims().sub === seen.sub && fresh.access_token !== tokens.access_token
const about = await client.tokenIntrospection(config, fresh.access_token)
seen.introspection = { active: about.active, username: about.username, client_id: about.client_id, roles: about.realm_access.roles.includes('reader') }
seen['introspection of nonsense'] = await client.tokenIntrospection(config, 'nonsense')
await client.tokenRevocation(config, fresh.access_token)
seen['introspection of a revoked one'] = await client.tokenIntrospection(config, fresh.access_token)
seen['userinfo with a revoked one'] = await failure(client.fetchUserInfo(config, fresh.access_token, seen.sub))
const end = client.buildEndSessionUrl(config, { post_logout_redirect_uri: REDIRECT_URI, id_token_hint: tokens.id_token, state: 'out' })
seen['after the logout'] = (await browse(end)).headers.get('location')
seen['prompt=none after the logout'] = await failure(authorize({ prompt: 'none' }))
seen['refresh after the logout'] = await failure(client.refreshTokenGrant(config, fresh.refresh_token))
const own = await client.clientCredentialsGrant(config, { scope: 'email' })
seen['for itself'] = Object.keys(own).sort()
console.log(JSON.stringify(seen))
