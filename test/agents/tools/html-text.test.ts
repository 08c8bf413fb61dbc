import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readableText } from '../../../src/agents/tools/html-text.ts'

const textOf = (html: string) => readableText(html, 'https://site.example/dir/page')

describe('the text of a page', () => {
  it('[TOOL3] is what a reader sees', () => {
    const html = `<!doctype html><html><head><title>A &amp; B</title><style>p { color: red }</style>
      <script>if (1 < 2) document.write("<p>no</p>")</script></head>
      <body><!-- hidden <p>words</p> --><h1>Head&shy;ing</h1>
      <p>First   line,
        with <b>bold</b> and <a class=x href="../a?b=1&amp;c=2">a link</a>.</p>
      <ul><li>one</li><li>two <a href='#here'>here</a></ul>
      <pre>  code
    more</pre>
      <table><tr><th>k<th>v</tr><tr><td>1<td>2</tr></table>
      <svg><text>picture</text></svg><noscript>no script</noscript>&copy; 2026 &#8212; &#x1F30D; &unknown; &amp</body></html>`
    expect(textOf(html)).toBe(
      [
        'A & B',
        '',
        '# Heading',
        '',
        'First line, with bold and [a link](https://site.example/a?b=1&c=2).',
        '',
        '- one',
        '- two here',
        '',
        '  code',
        '    more',
        '',
        '| k | v',
        '| 1 | 2',
        '',
        '© 2026 — 🌍 &unknown; &amp',
      ].join('\n'),
    )
  })

  it.each([
    ['', ''],
    ['plain', 'plain'],
    ['1 < 2 and 3 > 2', '1 < 2 and 3 > 2'],
    ['a<br>b<BR/>c', 'a\nb\nc'],
    ['a<br><br>b', 'a\n\nb'],
    ['<div>a</div>b', 'a\nb'],
    ['<p>a</p><p>b</p>', 'a\n\nb'],
    ['<SCRIPT>x</SCRIPT >after', 'after'],
    ['<script>x</scripty></script>after', 'after'],
    ['<script>never ends', ''],
    ['text<!-- never ends', 'text'],
    ['text<p never ends', 'text'],
    ['<a href="javascript:alert(1)">x</a>', 'x'],
    ['<a href="mailto:a@b.c">x</a>', 'x'],
    ['<a href="https://[">x</a>', 'x'],
    ['<a href=/b>x', '[x](https://site.example/b)'],
    ['<a href="/b">x<a href="/c">y</a>', '[x](https://site.example/b)[y](https://site.example/c)'],
    ['&lt;script&gt;', '<script>'],
    ['&amp;lt;', '&lt;'],
    ['&#0;&#xD800;&#x110000;', '\uFFFD\uFFFD\uFFFD'],
    ['&constructor;&__proto__;', '&constructor;&__proto__;'],
    ['</pre>a  b', 'a b'],
  ])('[TOOL3] of %j is %j', (html, text) => {
    expect(textOf(html)).toBe(text)
  })

  it('[TOOL3] takes time in proportion to the length, whatever the page', () => {
    const hostile = [
      '<',
      '<!--',
      '<script',
      '<script>',
      '<a href="',
      '<a href= ',
      '&',
      '&#',
      '<pre>  ',
      '</',
      '<svg></svg',
      ' \n',
      '<li>',
      "<p x='",
    ]
    for (const piece of hostile) {
      const begin = performance.now()
      textOf(piece.repeat(Math.ceil(1_000_000 / piece.length)))
      expect(performance.now() - begin, piece).toBeLessThan(4000)
    }
  })

  it('[TOOL3] any mixture of marks and words has a text without scripts', () => {
    const piece = fc.constantFrom(
      '<',
      '>',
      '<p>',
      '</p>',
      '<script>',
      '</script>',
      'SECRET',
      '"',
      "'",
      '<!--',
      '-->',
      '<a href=',
      '/',
      '&amp;',
      ' ',
      'word',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const html = pieces.filter((each) => each !== 'SECRET').join('')
        expect(textOf(html).isWellFormed()).toBe(true)
        expect(textOf(`<div>${html}</div>-->"'><script>SECRET</script>`.replaceAll('<!--', ''))).not.toContain('SECRET')
      }),
    )
  })
})
