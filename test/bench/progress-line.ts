/** What a run is doing right now: in a terminal one line that is written over, in a file a line every few seconds. */
const everyMs = process.stderr.isTTY ? 100 : 5000
const eraseLine = '\r\u001b[2K'

let toldAt = 0

export function progress(text: string): void {
  if (Date.now() - toldAt < everyMs) return
  toldAt = Date.now()
  process.stderr.write(process.stderr.isTTY ? `${eraseLine}${text}` : `${text}\n`)
}

export function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write(eraseLine)
}
