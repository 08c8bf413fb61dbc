/**
 * A page as a reader sees it: text, headings, list items and links, without scripts and styles. Not a parser of HTML, but one
 * pass over it that always ends and takes time in proportion to its length, whatever a page does to be unreadable.
 */

/** `base`: what relative links are resolved against. */
export function readableText(html: string, base: string): string {
  const page = new Page(base)
  let at = 0
  while (at < html.length) {
    const open = html.indexOf('<', at)
    page.say(html.slice(at, open < 0 ? html.length : open))
    if (open < 0) break
    at = markup(html, open, page)
  }
  return page.text()
}

/** Without a word for readers. */
const silent = new Set(['script', 'style', 'noscript', 'template', 'svg', 'iframe', 'object', 'select'])

/** Takes in the tag or comment at `open`; answers where the text goes on. What never ends swallows the rest, as in browsers. */
function markup(html: string, open: number, page: Page): number {
  if (html.startsWith('<!--', open)) return after(html, '-->', open + '<!--'.length)
  const name = /[a-z][^\s/>]*/iy
  const isClosing = html[open + 1] === '/'
  name.lastIndex = open + (isClosing ? 2 : 1)
  const tag = name.exec(html)?.[0].toLowerCase()
  if (tag === undefined) return strayMark(html, open, page)
  const end = after(html, '>', open)
  if (isClosing) page.close(tag)
  else page.open(tag, html.slice(name.lastIndex, end))
  return !isClosing && silent.has(tag) ? endOf(html, tag, end) : end
}

function strayMark(html: string, open: number, page: Page): number {
  if (/[!?/]/.test(html[open + 1] ?? '')) return after(html, '>', open)
  page.say('<')
  return open + 1
}

function after(html: string, mark: string, from: number): number {
  const found = html.indexOf(mark, from)
  return found < 0 ? html.length : found + mark.length
}

function endOf(html: string, tag: string, from: number): number {
  const close = new RegExp(`</${tag}(?=[\\s/>])`, 'gi')
  close.lastIndex = from
  const found = close.exec(html)
  return found ? after(html, '>', found.index) : html.length
}

const paragraphs = new Set(
  'address article aside blockquote body dl fieldset figure footer form h1 h2 h3 h4 h5 h6 header hr main nav ol p pre section table title ul'.split(
    ' ',
  ),
)
const lines = new Set('dd div dt figcaption li option tr'.split(' '))

class Page {
  readonly #base: string
  readonly #pieces: string[] = []
  #preformatted = 0
  #link: string | null = null

  constructor(base: string) {
    this.#base = base
  }

  say(text: string): void {
    const isPreformatted = this.#preformatted > 0
    const collapsed = isPreformatted ? text : text.replaceAll(/\s+/g, ' ')
    const said = !isPreformatted && collapsed.startsWith(' ') && this.#endsInSpace() ? collapsed.slice(1) : collapsed
    if (said !== '') this.#pieces.push(decodeEntities(said))
  }

  open(tag: string, attributes: string): void {
    this.#break(tag)
    if (/^h[1-6]$/.test(tag)) this.#pieces.push(`${'#'.repeat(Number(tag[1]))} `)
    if (tag === 'br') this.#pieces.push('\n')
    if (tag === 'li') this.#pieces.push('- ')
    if (tag === 'td' || tag === 'th') this.#pieces.push(this.#endsInSpace() ? '| ' : ' | ')
    if (tag === 'pre') this.#preformatted++
    if (tag === 'a') this.#openLink(attributes)
  }

  close(tag: string): void {
    if (tag === 'a') this.#closeLink()
    if (tag === 'pre' && this.#preformatted > 0) this.#preformatted--
    this.#break(tag)
  }

  #break(tag: string): void {
    if (paragraphs.has(tag)) this.#pieces.push('\n\n')
    else if (lines.has(tag) && this.#pieces.at(-1)?.endsWith('\n') !== true) this.#pieces.push('\n')
  }

  #endsInSpace(): boolean {
    return /\s$/.test(this.#pieces.at(-1)?.at(-1) ?? '\n')
  }

  #openLink(attributes: string): void {
    this.#closeLink()
    const [, double, single, bare] = /\shref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/i.exec(attributes) ?? []
    this.#link = addressOf(decodeEntities(double ?? single ?? bare ?? ''), this.#base)
    if (this.#link !== null) this.#pieces.push('[')
  }

  #closeLink(): void {
    if (this.#link !== null) this.#pieces.push(`](${this.#link})`)
    this.#link = null
  }

  text(): string {
    this.#closeLink()
    const trimmed = this.#pieces
      .join('')
      .split('\n')
      .map((line) => line.trimEnd())
    return trimmed
      .filter((line, index) => line !== '' || (index > 0 && trimmed[index - 1] !== ''))
      .join('\n')
      .trim()
  }
}

/** Null: nowhere that could be read. */
function addressOf(href: string, base: string): string | null {
  if (href === '' || href.startsWith('#') || !URL.canParse(href, base)) return null
  const url = new URL(href, base)
  return url.protocol === 'https:' || url.protocol === 'http:' ? url.href : null
}

/** Those that pages use, each before its character; characters outside ASCII are mostly written as they are. */
const entityTable = [
  'amp & lt < gt > quot " apos \' copy © reg ® trade ™ hellip … mdash — ndash – lsquo ‘ rsquo ’ ldquo “ rdquo ” sbquo ‚ bdquo „',
  'laquo « raquo » bull • middot · euro € pound £ yen ¥ cent ¢ sect § para ¶ deg ° plusmn ± times × divide ÷ frac12 ½ minus −',
  'rarr → larr ← uarr ↑ darr ↓ le ≤ ge ≥ ne ≠ check ✓ hearts ♥ ouml ö auml ä uuml ü Ouml Ö Auml Ä Uuml Ü szlig ß eacute é',
  'egrave è ecirc ê agrave à aacute á acirc â ccedil ç ntilde ñ oacute ó ocirc ô iacute í uacute ú aring å oslash ø aelig æ',
]
const entities = new Map([...entityTable.join(' ').matchAll(/(\S+) (\S)/g)].map(([, name = '', character = '']) => [name, character]))
entities.set('nbsp', ' ').set('shy', '')

function decodeEntities(text: string): string {
  return text.replaceAll(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z][a-z0-9]{1,31}));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return entities.get(name) ?? whole
    return characterOf(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16))
  })
}

function characterOf(code: number): string {
  return code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? '\uFFFD' : String.fromCodePoint(code)
}
