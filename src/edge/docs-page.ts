/** The API as one page for people: no script, nothing loaded from elsewhere. `type` of every problem points at its row here. */
import { errorTable } from '../protocol/errors.ts'
import type { Json, OpenApiDocument } from './openapi.ts'

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
code,pre{font:14px/1.4 ui-monospace,monospace;background:#f4f4f2}pre{padding:.75rem;overflow:auto}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}
tr:target,section:target{background:#fff7d6}h2{margin-top:2.5rem}`

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

export function docsPage(document: OpenApiDocument): Response {
  const html = page(document)
  return new Response(html, { headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': POLICY } })
}

function page(document: OpenApiDocument): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => operationSection(method, path, asObject(operation))),
  )
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Dormouse API</title>
<meta name="viewport" content="width=device-width"><style>${STYLE}</style></head><body>
<h1>Dormouse API, v1</h1>
<p>Send <code>Authorization: Bearer &lt;key or token&gt;</code>. Errors are <code>application/problem+json</code>.
For programs: <a href="/openapi.json">/openapi.json</a>.</p>
<h2>Calls</h2>${operations.join('')}<h2>Errors</h2>${errorRows()}</body></html>`
}

function operationSection(method: string, path: string, operation: Record<string, Json>): string {
  const parameters = asArray(operation['parameters']).map(asObject)
  const answers = Object.entries(asObject(operation['responses'])).filter(([status]) => /^[123]/.test(status))
  return `<section id="${words(operation['operationId'])}"><h3><code>${method.toUpperCase()} ${escape(path)}</code></h3>
<p>${words(operation['summary'])}. ${words(operation['description'] ?? 'Open to everyone.')}</p>
${parameters.length > 0 ? table(parameters.map(parameterRow)) : ''}${bodySchema(operation)}
${table(answers.map(([status, answer]) => [status, words(asObject(answer)['description'])]))}</section>`
}

/** A value of the document that is text, safe to stand in HTML. */
function words(value: Json | undefined): string {
  return typeof value === 'string' ? escape(value) : ''
}

function parameterRow(parameter: Record<string, Json>): string[] {
  const schema = escape(JSON.stringify(parameter['schema']))
  return [`<code>${words(parameter['name'])}</code>`, words(parameter['in']), `<code>${schema}</code>`]
}

function bodySchema(operation: Record<string, Json>): string {
  const content = asObject(asObject(operation['requestBody'])['content'])
  const schema = asObject(content['application/json'])['schema']
  return schema === undefined ? '' : `<details><summary>Body</summary><pre>${escape(JSON.stringify(schema, null, 2))}</pre></details>`
}

function errorRows(): string {
  const rows = Object.entries(errorTable).map(([code, { status, title, retryable }]) => {
    const again = retryable ? 'worth another try' : 'final'
    return `<tr id="${code}"><td><code>${code}</code></td><td>${status}</td><td>${escape(title)}</td><td>${again}</td></tr>`
  })
  return `<table>${rows.join('')}</table>`
}

function table(rows: string[][]): string {
  return `<table>${rows.map((cells) => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`).join('')}</table>`
}

function asObject(value: Json): Record<string, Json> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}
}

function asArray(value: Json): Json[] {
  return Array.isArray(value) ? value : []
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
