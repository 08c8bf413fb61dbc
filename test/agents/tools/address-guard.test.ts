import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { addressGuardOf, literalGuardOf, type Resolver } from '../../../src/agents/tools/address-guard.ts'

const PUBLIC = '93.184.215.14'

/** Names stand for what is written in them, so that a test says in one line what a name leads to. */
const resolver: Resolver = async (host) => {
  const answers: Record<string, string[]> = {
    'public.example': [PUBLIC, '2606:2800:21f:cb07:6820:80da:af6b:8b2c'],
    'private.example': ['10.1.2.3'],
    'mixed.example': [PUBLIC, '192.168.0.1'],
    'mixed6.example': [PUBLIC, 'fd00::1'],
    'mapped.example': ['::ffff:169.254.169.254'],
    'alias.example': ['other.example.', PUBLIC],
    'dangling.example': ['nowhere.example.'],
    'empty.example': [],
  }
  const found = answers[host]
  if (!found) throw new Error('queryA ENOTFOUND')
  return found
}

const refusalOf = (url: string, allowed = '') => addressGuardOf({ DORMOUSE_ALLOW_PRIVATE_HOSTS: allowed }, resolver).refusalOf(new URL(url))

describe('the address guard', () => {
  it.each([
    'https://127.0.0.1/',
    'https://127.1/',
    'https://2130706433/',
    'https://0x7f000001/',
    'https://0177.0.0.1/',
    'https://127.0.0.1./',
    'https://0.0.0.0/',
    'https://10.0.0.1/',
    'https://172.16.0.1/',
    'https://172.31.255.255/',
    'https://192.168.1.1/',
    'https://169.254.169.254/latest/meta-data',
    'https://100.64.0.1/',
    'https://192.0.0.1/',
    'https://192.0.2.1/',
    'https://198.18.0.1/',
    'https://198.51.100.1/',
    'https://203.0.113.1/',
    'https://224.0.0.1/',
    'https://240.0.0.1/',
    'https://255.255.255.255/',
    'https://[::1]/',
    'https://[::]/',
    'https://[::127.0.0.1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[::ffff:8.8.8.8]/',
    'https://[::ffff:0:10.0.0.1]/',
    'https://[2002:7f00:1::]/',
    'https://[2002:808:808::1]/',
    'https://[64:ff9b::10.0.0.1]/',
    'https://[64:ff9b:1::1]/',
    'https://[2001::1]/',
    'https://[2001:db8::1]/',
    'https://[fc00::1]/',
    'https://[fd12:3456::1]/',
    'https://[fe80::1]/',
    'https://[fec0::1]/',
    'https://[ff02::1]/',
    'https://[100::1]/',
    'https://[4000::1]/',
    'https://localhost/',
    'https://LOCALHOST./',
    'https://app.localhost/',
    'https://printer.local/',
    'https://metadata.google.internal/',
    'https://router.home.arpa/',
    'https://intranet/',
  ])('[TOOL4] refuses %s without asking for a name', async (url) => {
    const guard = addressGuardOf({}, () => Promise.reject(new Error('asked')))
    expect(await guard.refusalOf(new URL(url))).toMatch(/^Not allowed: \S+ is not a public address\.$/)
  })

  it.each([
    ['https://private.example/', 'Not allowed: the name private.example leads to an address that is not public.'],
    ['https://mixed.example/', 'Not allowed: the name mixed.example leads to an address that is not public.'],
    ['https://mixed6.example/', 'Not allowed: the name mixed6.example leads to an address that is not public.'],
    ['https://mapped.example/', 'Not allowed: the name mapped.example leads to an address that is not public.'],
    ['https://private.example./', 'Not allowed: the name private.example leads to an address that is not public.'],
    ['https://dangling.example/', 'The name dangling.example cannot be resolved.'],
    ['https://empty.example/', 'The name empty.example cannot be resolved.'],
    ['https://unknown.example/', 'The name unknown.example cannot be resolved.'],
    ['http://public.example/', 'Not allowed: public.example can be reached over https only.'],
    [`http://${PUBLIC}/`, `Not allowed: ${PUBLIC} can be reached over https only.`],
    ['ftp://public.example/', 'Not allowed: only https addresses can be reached.'],
    ['file:///etc/passwd', 'Not allowed: only https addresses can be reached.'],
    ['data:text/plain,hello', 'Not allowed: only https addresses can be reached.'],
    ['https://me:secret@public.example/', 'Not allowed: the address of public.example must not hold a user name or password.'],
    ['https://me@public.example/', 'Not allowed: the address of public.example must not hold a user name or password.'],
  ])('[TOOL4] refuses %s: %s', async (url, sentence) => {
    expect(await refusalOf(url)).toBe(sentence)
  })

  it.each([
    'https://public.example/',
    'https://public.example.:8443/',
    'https://alias.example/',
    `https://${PUBLIC}/`,
    'https://[2606:4700:4700::1111]/',
  ])('[TOOL4] lets pass %s', async (url) => {
    expect(await refusalOf(url)).toBeNull()
  })

  it.each([
    ['http://127.0.0.1:8080/', '127.0.0.1:8080', true],
    ['http://127.0.0.1:8081/', '127.0.0.1:8080', false],
    ['http://127.0.0.1:8081/', '127.0.0.1', true],
    ['http://localhost:3000/', ' LocalHost:3000 , other', true],
    ['http://other/', 'localhost:3000, other', true],
    ['https://other/', 'other:443', true],
    ['http://other/', 'other:443', false],
    ['http://[::1]:9000/', '[::1]:9000', true],
    ['http://x.other/', 'other', false],
    ['http://a:b@other/', 'other', false],
  ])('[TOOL4] %s with %s allowed: %s', async (url, allowed, passes) => {
    expect((await refusalOf(url, allowed)) === null).toBe(passes)
  })

  it('[TOOL4] names the host in a refusal, and neither path nor query', async () => {
    for (const url of [
      'https://10.0.0.1/p4th?k=s3cret#s3cret',
      'http://public.example/p4th?k=s3cret',
      'https://u:s3cret@public.example/',
    ]) {
      expect(await refusalOf(url)).not.toMatch(/s3cret|p4th/)
    }
  })

  it('[TOOL4] refuses every address of a private network, in any notation', async () => {
    const octet = fc.integer({ min: 0, max: 255 })
    const network = fc.constantFrom([10], [127], [192, 168], [169, 254], [172, 20], [100, 100], [0])
    await fc.assert(
      fc.asyncProperty(
        network,
        fc.tuple(octet, octet, octet),
        fc.constantFrom('dotted', 'integer', 'hex', 'mapped'),
        async (start, rest, form) => {
          const octets = [...start, ...rest].slice(0, 4)
          const dotted = octets.join('.')
          const number = octets.reduce((sum, each) => sum * 256 + each, 0)
          const host = { dotted, integer: String(number), hex: `0x${number.toString(16)}`, mapped: `[::ffff:${dotted}]` }[form]
          expect(await refusalOf(`https://${host}/`)).toContain('is not a public address')
        },
      ),
    )
  })

  it('[TOOL4] judges by the address alone where names must not be asked for', async () => {
    const guard = literalGuardOf({ DORMOUSE_ALLOW_PRIVATE_HOSTS: 'localhost:8080' })
    expect(await guard.refusalOf(new URL('https://unknown.example/'))).toBeNull()
    expect(await guard.refusalOf(new URL('http://localhost:8080/'))).toBeNull()
    expect(await guard.refusalOf(new URL('https://10.0.0.1/'))).toContain('not a public address')
  })
})
