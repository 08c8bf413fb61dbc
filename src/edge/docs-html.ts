/** Pieces of the page for people. Every text that goes into HTML passes `escape` or `prose`; nothing has a style or script of its own. */
import { errorTable } from '../protocol/errors.ts'

/** Text, safe in an element and in a quoted attribute. */
export function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

export function code(text: string): string {
  return `<code>${escape(text)}</code>`
}

/** Text as the API's document writes it: what stands in backticks is code, and an error's code leads to its row. */
export function prose(text: string): string {
  return text
    .split('`')
    .map((piece, place) => (place % 2 === 1 ? inlineCode(piece) : escape(piece)))
    .join('')
}

function inlineCode(text: string): string {
  return text in errorTable ? `<a href="#${text}">${code(text)}</a>` : code(text)
}

export function paragraph(text: string): string {
  return `<p>${prose(text)}</p>`
}

/** A row is its cells, in HTML; with an id it can be pointed at. */
export interface Row {
  id?: string
  cells: string[]
}

/** The first cell of a row names it, for those who hear the table; the first column's name tells the style sheet how wide it is. */
export function table(caption: string, columns: string[], rows: Row[]): string {
  if (rows.length === 0) return ''
  const head = columns.map((column) => `<th scope="col">${escape(column)}</th>`).join('')
  const [kind = ''] = columns
  return `<table class="${escape(kind.toLowerCase())}"><caption>${prose(caption)}</caption><thead><tr>${head}</tr></thead><tbody>${rows.map(tableRow).join('')}</tbody></table>`
}

function tableRow({ id, cells }: Row): string {
  const [name = '', ...rest] = cells
  const others = rest.map((cell) => `<td>${cell}</td>`).join('')
  return `<tr${id === undefined ? '' : ` id="${escape(id)}"`}><th scope="row">${name}</th>${others}</tr>`
}

/** A section of the page; its heading is the address of itself. `heading` is HTML. */
export function section(level: 2 | 3 | 4, id: string, heading: string, content: string): string {
  return `<section id="${escape(id)}"><h${level}><a href="#${escape(id)}">${heading}</a></h${level}>${content}</section>`
}

export function listing(label: string, text: string): string {
  return `<figure><figcaption>${escape(label)}</figcaption><pre><code>${escape(text)}</code></pre></figure>`
}
