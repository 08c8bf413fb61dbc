/**
 * A file that a user sent, for a prompt. Text is put into words here; pictures and the like go as they are to a provider that
 * takes them; of any other file the model learns that it is there.
 */
import type { LanguageModelV4FilePart, LanguageModelV4TextPart } from '@ai-sdk/provider'
import type { Part } from '../../protocol/message.ts'
import type { PromptTraits } from './provider.ts'

type FilePart = Extract<Part, { type: 'file' }>

const textual = /^(?:text\/|application\/(?:[\w.-]+\+)?(?:json|xml|yaml|toml|javascript)$)/

export function promptFile(part: FilePart, traits: PromptTraits): LanguageModelV4FilePart | LanguageModelV4TextPart {
  const { data, url } = part
  const mediaType = part.mediaType.toLowerCase()
  if (data !== undefined && textual.test(mediaType)) return words(`${nameOf(part)}:\n\n${textIn(data)}`)
  // Of `image/*` a provider would have to guess which.
  if (mediaType.includes('*') || !traits.takesFile(mediaType, url !== undefined)) return words(leftOut(part))
  const filename = part.name === undefined ? {} : { filename: part.name }
  if (url !== undefined) return { type: 'file', mediaType, data: { type: 'url', url: new URL(url) }, ...filename }
  return { type: 'file', mediaType, data: { type: 'data', data: data ?? '' }, ...filename }
}

function words(text: string): LanguageModelV4TextPart {
  return { type: 'text', text }
}

function nameOf({ name, mediaType }: FilePart): string {
  return name === undefined ? `A file (${mediaType})` : `The file ${name} (${mediaType})`
}

function leftOut(part: FilePart): string {
  const where = part.url === undefined ? '' : ` It is at ${part.url}.`
  return `[${nameOf(part)} is not shown: this model does not take it.${where}]`
}

function textIn(base64: string): string {
  return new TextDecoder().decode(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)))
}
