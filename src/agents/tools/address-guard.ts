/**
 * Which addresses tools may reach (rule TOOL4): public ones over https, and those that the server's configuration names.
 * Refused is every special range of IPv4 and IPv6, however it is written (a URL's parser has normalised decimal, octal and
 * hex forms), names of private networks, and names of which any address is private.
 *
 * What remains: a name is asked for here, and again when the connection is made. Workers on Cloudflare reach no private
 * network at all; on a laptop, a name whose address changes between the two, or is another in its own network, is not caught.
 */
import type { ToolEnvironment } from './tool-environment.ts'

export interface AddressGuard {
  /** Why the address may not be reached, in a sentence that names its host and nothing else of it; null: it may. */
  refusalOf(url: URL): Promise<string | null>
}

/** Every IPv4 and IPv6 address of a name, maybe with aliases; rejects, or answers none, when it cannot be resolved. */
export type Resolver = (host: string) => Promise<readonly string[]>

export function addressGuardOf(environment: ToolEnvironment, resolve: Resolver = resolveByDns): AddressGuard {
  return createGuard(environment, (host) => refusalOfName(host, resolve))
}

/** Judges by the address alone, without asking for names: for what is saved now and used later. */
export function literalGuardOf(environment: ToolEnvironment): AddressGuard {
  return createGuard(environment, async () => null)
}

function createGuard(
  { DORMOUSE_ALLOW_PRIVATE_HOSTS = '' }: ToolEnvironment,
  judgeName: (host: string) => Promise<string | null>,
): AddressGuard {
  const allowed = new Set(DORMOUSE_ALLOW_PRIVATE_HOSTS.split(',').map((host) => host.trim().toLowerCase()))
  return {
    async refusalOf(url) {
      const host = url.hostname.replace(/\.$/, '')
      if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'Not allowed: only https addresses can be reached.'
      if (url.username !== '' || url.password !== '') return `Not allowed: the address of ${host} must not hold a user name or password.`
      if (allowed.has(host) || allowed.has(`${host}:${portOf(url)}`)) return null
      if (url.protocol !== 'https:') return `Not allowed: ${host} can be reached over https only.`
      if (isLiteral(host)) return (await isPublic(unbracketed(host))) ? null : notPublic(host)
      return isPrivateName(host) ? notPublic(host) : judgeName(host)
    },
  }
}

function notPublic(host: string): string {
  return `Not allowed: ${host} is not a public address.`
}

function portOf({ protocol, port }: URL): string {
  return port === '' ? (protocol === 'https:' ? '443' : '80') : port
}

/** A URL's parser writes every form of an IPv4 address with four decimal parts, and IPv6 in brackets. */
function isLiteral(host: string): boolean {
  return host.startsWith('[') || /^\d+(?:\.\d+){3}$/.test(host)
}

function unbracketed(host: string): string {
  return host.replace(/^\[|\]$/g, '')
}

/** RFC 6761, 6762, 8375 and ICANN's `.internal`; a name without a dot is somebody's own. */
const privateSuffixes = ['.localhost', '.local', '.internal', '.home.arpa']

function isPrivateName(host: string): boolean {
  return !host.includes('.') || privateSuffixes.some((suffix) => host === suffix.slice(1) || host.endsWith(suffix))
}

async function refusalOfName(host: string, resolve: Resolver): Promise<string | null> {
  const { default: ipaddr } = await import('ipaddr.js')
  const answers = await resolve(host).catch(() => [])
  // In workerd (2026-11) the aliases on the way to an address stand among the answers.
  const addresses = answers.filter((answer) => ipaddr.isValid(answer))
  if (addresses.length === 0) return `The name ${host} cannot be resolved.`
  const verdicts = await Promise.all(addresses.map(isPublic))
  return verdicts.every(Boolean) ? null : `Not allowed: the name ${host} leads to an address that is not public.`
}

/** IPv6 has one range for the public (RFC 4291, 2000::/3); what is special inside it, forms that embed IPv4 too, is not unicast. */
async function isPublic(address: string): Promise<boolean> {
  const { default: ipaddr } = await import('ipaddr.js')
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.parse(address)
  if (parsed.range() !== 'unicast') return false
  return parsed.kind() === 'ipv4' || ((parsed.toByteArray()[0] ?? 0) & 0xe0) === 0x20
}

/** In workerd this is DNS over HTTPS. */
async function resolveByDns(host: string): Promise<string[]> {
  const { resolve4, resolve6 } = await import('node:dns/promises')
  const [four, six] = await Promise.all([resolve4(host).catch(noneIfAbsent), resolve6(host).catch(noneIfAbsent)])
  return [...four, ...six]
}

/** A name may have addresses of one kind only. Any other failure leaves the answer unknown. */
function noneIfAbsent(error: unknown): string[] {
  if (error instanceof Error && 'code' in error && (error.code === 'ENODATA' || error.code === 'ENOTFOUND')) return []
  throw error
}
