/**
 * The API as one page for people: no script, nothing loaded from elsewhere. Calls and schemas come from the API's document,
 * so that the page says what `/openapi.json` says. Loaded, and made, only when somebody asks for it.
 */
import { groupNotes } from './api-notes.ts'
import { basicsSection, errorsSection, startSection, streamsSection, whenBusyTable } from './docs-guide.ts'
import { code, escape, paragraph, prose, section, table, type Row } from './docs-html.ts'
import { allSchemas, asArray, fieldTable, meaning, nameCell, schemaSection, shape } from './docs-schemas.ts'
import { STYLE } from './docs-style.ts'
import { asObject, asText, sentences, type Json, type JsonObject, type OpenApiDocument } from './openapi.ts'

export async function docsPage(document: OpenApiDocument): Promise<Response> {
  const headers = { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': await policy() }
  return new Response(page(document), { headers })
}

/** The page's one style sheet is allowed by its hash, and nothing else at all. */
async function policy(): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(STYLE)))
  const style = `'sha256-${btoa(String.fromCharCode(...hash))}'`
  return `default-src 'none'; style-src ${style}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`
}

interface Operation extends JsonObject {
  method: string
  path: string
}

interface Chapter {
  id: string
  title: string
  content: string
  /** What stands under it in the list of contents. */
  entries: { id: string; label: string }[]
}

function page(document: OpenApiDocument): string {
  const chapters = chaptersOf(document)
  const groups = chapters.map(contentsOf).join('')
  const lead = 'A session server for AI agents. The same for programs: <a href="/openapi.json">openapi.json</a>.'
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Dormouse API</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>${STYLE}</style></head><body>
<a class="skip" href="#main">Skip to the documentation</a>
<header class="bar"><a href="#main">Dormouse API</a><a href="#contents">Contents</a></header>
<div class="page"><nav id="contents" aria-label="Contents"><details><summary>Contents</summary>${groups}</details></nav>
<main id="main"><h1>Dormouse API, v1</h1><p class="lead">${lead}</p>${chapters.map(({ content }) => content).join('\n')}</main></div></body></html>`
}

function chaptersOf(document: OpenApiDocument): Chapter[] {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Operation => ({ ...asObject(operation), method, path })),
  )
  const schemas = allSchemas(asObject(asObject(document['components'])['schemas']))
  return [
    guide('start', 'A first conversation', startSection()),
    guide('basics', 'Basics', basicsSection()),
    ...Object.entries(groupNotes).map(([group, note]) => groupChapter(group, note, operations)),
    {
      ...guide('streams', 'Staying in step', streamsSection()),
      entries: [
        { id: 'frames', label: 'Over a socket' },
        { id: 'rules', label: 'Four rules for a client' },
        { id: 'sse', label: 'Over server-sent events' },
      ],
    },
    schemasChapter(schemas),
    guide('errors', 'Errors', errorsSection()),
  ]
}

function guide(id: string, title: string, content: string): Chapter {
  return { id, title, content, entries: [] }
}

function groupChapter(group: string, note: string, all: Operation[]): Chapter {
  const operations = all.filter(({ tags }) => asArray(tags).includes(group))
  const id = group.toLowerCase().replaceAll(' ', '-')
  const content = paragraph(note) + (group === 'Turns' ? whenBusyTable() : '') + operations.map(operationSection).join('')
  const entries = operations.map((operation) => ({ id: asText(operation['operationId']), label: entryLabel(operation) }))
  return { id, title: group, content: section(2, id, escape(group), content), entries }
}

/** A call's first words are enough to find it. */
function entryLabel(operation: Operation): string {
  const [label = ''] = asText(operation['summary']).split(/[;,] (?:or|and|follow) /)
  return `${methodBadge(operation)} <span>${prose(label)}</span>`
}

function schemasChapter(schemas: JsonObject): Chapter {
  const sections = Object.entries(schemas).map(([name, schema]) => schemaSection(name, asObject(schema)))
  const entries = Object.keys(schemas).map((name) => ({ id: `schema-${name}`, label: escape(name) }))
  return { id: 'schemas', title: 'Schemas', content: section(2, 'schemas', 'Schemas', sections.join('')), entries }
}

function contentsOf({ id, title, entries }: Chapter): string {
  const items = entries.map((entry) => `<li><a href="#${escape(entry.id)}">${entry.label}</a></li>`)
  return `<p><a href="#${escape(id)}">${escape(title)}</a></p>${items.length === 0 ? '' : `<ul>${items.join('')}</ul>`}`
}

function methodBadge({ method }: Operation): string {
  return `<span class="method ${escape(method)}">${escape(method.toUpperCase())}</span>`
}

function operationSection(operation: Operation): string {
  const { path, parameters, requestBody, responses } = operation
  const parts = [
    paragraph(`${asText(operation['summary'])}.`),
    `<p class="who">${prose(asText(operation['description']))}</p>`,
    table('Parameters', ['Name', 'Meaning'], asArray(parameters).map(parameterRow)),
    bodyTable(asObject(requestBody)),
    table('Answers', ['Status', 'What it means'], answerRows(asObject(responses))),
  ]
  return section(3, asText(operation['operationId']), `${methodBadge(operation)} ${code(path)}`, parts.join(''))
}

function parameterRow(value: Json): Row {
  const parameter = asObject(value)
  const where = parameter['in'] === 'path' ? 'path' : `${asText(parameter['in'])}${parameter['required'] === true ? ', required' : ''}`
  const schema = asObject(parameter['schema'])
  const words = sentences([asText(parameter['description']), asText(schema['description'])])
  return { cells: [nameCell(asText(parameter['name']), where), meaning(schema, words)] }
}

function bodyTable(requestBody: JsonObject): string {
  const schema = jsonContent(requestBody)
  return schema === null ? '' : fieldTable(`Body${requestBody['required'] === true ? '' : ', may be left out'}`, schema, true)
}

function jsonContent(holder: JsonObject): JsonObject | null {
  const { schema } = asObject(asObject(holder['content'])['application/json'])
  return schema === undefined ? null : asObject(schema)
}

/** Problems are the same everywhere, and have a section of their own. */
function answerRows(responses: JsonObject): Row[] {
  const good = Object.entries(responses).filter(([status]) => /^[123]/.test(status))
  return good.map(([status, value]) => {
    const answer = asObject(value)
    const schema = jsonContent(answer)
    const content = schema === null ? '' : `<br><code class="shape">${shape(schema)}</code>`
    return { cells: [code(status), prose(asText(answer['description'])) + content] }
  })
}
