/**
 * `fetch` behind the address guard: every hop is checked before it is made, and redirects are followed by hand, as the
 * Fetch standard says (https://fetch.spec.whatwg.org/#http-redirect-fetch). Whatever goes wrong is told with the host alone,
 * for paths and queries may hold secrets.
 */
import type { AddressGuard } from './address-guard.ts'
import { ToolError } from './tool.ts'

export interface RedirectLimit {
  /** 0: a redirect is an error. */
  maxRedirects: number
}

/** Answers a response that is no redirect. Throws `ToolError`, or the reason of `init.signal` when it was aborted. */
export async function guardedFetch(
  guard: AddressGuard,
  url: URL | string,
  init: RequestInit,
  { maxRedirects }: RedirectLimit,
): Promise<Response> {
  let at = parseUrl(url)
  let request = init
  for (let redirects = 0; ; redirects++) {
    const refusal = await guard.refusalOf(at)
    if (refusal !== null) throw new ToolError(redirects === 0 ? refusal : `The address redirects elsewhere. ${refusal}`)
    const response = await hop(at, request)
    if (!isRedirect(response)) return response
    await response.body?.cancel()
    if (redirects >= maxRedirects) throw tooMany(at, response.status, maxRedirects)
    const next = targetOf(at, response)
    request = redirected(request, response.status, next.origin === at.origin)
    at = next
  }
}

function parseUrl(url: URL | string): URL {
  if (!URL.canParse(url)) throw new ToolError('The address is not a valid URL.')
  return new URL(url)
}

async function hop(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...init, redirect: 'manual' })
  } catch {
    // The platform's words may hold the whole URL.
    init.signal?.throwIfAborted()
    throw new ToolError(`${url.host} cannot be reached.`)
  }
}

const redirects = new Set([301, 302, 303, 307, 308])

function isRedirect({ status, headers }: Response): boolean {
  return redirects.has(status) && headers.has('location')
}

function tooMany({ host }: URL, status: number, maxRedirects: number): ToolError {
  if (maxRedirects === 0) return new ToolError(`${host} answered with a redirect (${status}), and redirects are not followed here.`)
  return new ToolError(`${host} redirects too often: more than ${maxRedirects} times.`)
}

function targetOf(url: URL, response: Response): URL {
  const location = response.headers.get('location') ?? ''
  if (!URL.canParse(location, url)) throw new ToolError(`${url.host} redirects to an address that is not valid.`)
  return new URL(location, url)
}

function redirected(init: RequestInit, status: number, isSameOrigin: boolean): RequestInit {
  const { method = 'GET', body, ...rest } = init
  const becomesGet = status === 303 ? method !== 'HEAD' : status < 303 && method === 'POST'
  const headers = headersFor(init.headers, becomesGet, isSameOrigin)
  if (becomesGet || body === undefined || body === null) return { ...rest, method: becomesGet ? 'GET' : method, headers }
  if (body instanceof ReadableStream) throw new ToolError('A redirect cannot be followed: what was sent can be sent only once.')
  return { ...rest, method, body, headers }
}

/** All that another origin gets to see: signatures and custom headers may be secrets, like Authorization and Cookie. */
const harmlessHeaders = new Set(['accept', 'accept-language', 'content-type', 'user-agent'])

function headersFor(given: HeadersInit | undefined, becomesGet: boolean, isSameOrigin: boolean): Headers {
  const kept = [...new Headers(given)].filter(([name]) => isSameOrigin || harmlessHeaders.has(name))
  return new Headers(becomesGet ? kept.filter(([name]) => !name.startsWith('content-')) : kept)
}
