// The words a newcomer sees when the server is ready: where it is, the key, and a first conversation to paste.

export function welcome(url, key, state) {
  return `
Dormouse is ready at ${url}

  Key   ${key}
  Log   ${state.log}

A first conversation, to paste into another terminal:

  KEY=${quote(key)}
  SESSION=$(curl -s ${url}/v1/sessions -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -d '{}' | grep -o 'ses_[0-9A-Z]*' | head -n 1)
  curl -N ${url}/v1/sessions/$SESSION/turns -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -H 'Accept: text/event-stream' -d '{"input":"Hello, Dormouse!"}'

Ctrl-C stops it; what it knows stays in ${state.folder}`
}

/** For a shell: quoted only where a character asks for it. */
function quote(text) {
  return /^[\w.-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}
