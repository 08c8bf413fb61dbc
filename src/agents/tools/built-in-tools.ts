import type { AddressGuard } from './address-guard.ts'
import { builtInNames, type BuiltInName } from './built-in-names.ts'
import { calculate } from './calculate.ts'
import { currentTime } from './current-time.ts'
import { demoNote } from './demo-note.ts'
import { createFetchUrl } from './fetch-url.ts'
import { notes, remember } from './note-tools.ts'
import type { Tool } from './tool.ts'

/** Every tool that comes with the server, in the order of their names' list. */
export function builtInTools(guard: AddressGuard): readonly Tool[] {
  const byName: Record<BuiltInName, Tool> = {
    current_time: currentTime,
    calculate,
    fetch_url: createFetchUrl(guard),
    remember,
    notes,
    demo_note: demoNote,
  }
  return builtInNames.map((name) => byName[name])
}
