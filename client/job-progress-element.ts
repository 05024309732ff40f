import { effect, signal, untracked } from '@preact/signals-core'
import type { Job, JobHeader } from '../shared/job.ts'
import { getItemsByStatus, isTerminalStatus } from '../shared/selectors.ts'
import { Announcer } from './announcer.ts'
import { createFormat, type Format } from './format.ts'
import { createHeaderSignal, type HeaderSignal } from './header-signal.ts'
import { styles } from './job-progress-styles.ts'
import { type Failure, JobProgressView, type Variant } from './job-progress-view.ts'
import { english, type Language } from './language.ts'
import { say, useLiveRegion } from './live-region.ts'
import { describeJob, type JobWords } from './words.ts'

/** Where there is no DOM, as on a server that renders pages, the class can be imported, not used. */
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement)

let sheet: CSSStyleSheet | undefined

/**
 * `<job-progress src="/api/jobs/p7f2">`: a job, live, as a bar (`variant="ring"` and `"text"` are smaller).
 *
 * `token` is a watch token, for pages whose readers are not signed in. `label` is shown instead of the job's title. `lang`, its own or an
 * ancestor's, chooses the language among {@link JobProgressElement.languages}. What stands inside the element is shown until the job is known.
 *
 * It connects when it comes into view, and lets go when it leaves the document. `job-change` tells each change of the job and `job-end` its
 * end, with the job's header as `detail`; both bubble.
 *
 * @example
 * ```html
 * <script type="module" src="https://progress.example/widget.js"></script>
 * <job-progress src="https://progress.example/api/jobs/p7f2" token="…">Exporting…</job-progress>
 * ```
 */
export class JobProgressElement extends Base {
  static readonly observedAttributes = ['src', 'token', 'variant', 'label', 'lang']
  /** The languages that the element speaks, by their tag. Add to it before the first element is made. */
  static readonly languages: Map<string, Language> = new Map([[english.tag, english]])

  readonly #view: JobProgressView
  readonly #fallback = document.createElement('slot')
  /** Rises when an attribute changes, so that what was written by it is written again. */
  readonly #attributes = signal(0)
  #observer: IntersectionObserver | undefined
  /** Whether it has come into view since it is in the document. Attributes are told of before. */
  #wasSeen = false
  #leaveLiveRegion: (() => void) | undefined
  #disconnect: (() => void) | undefined
  #header: JobHeader | undefined

  constructor() {
    super()
    if (!sheet) {
      sheet = new CSSStyleSheet()
      sheet.replaceSync(styles)
    }
    this.#view = new JobProgressView(() => this.#toggleFailures())
    this.#view.root.hidden = true
    const shadow = this.attachShadow({ mode: 'open' })
    shadow.adoptedStyleSheets = [sheet]
    shadow.append(this.#fallback, this.#view.root)
  }

  /** What is known of the job, without its rows; `undefined` until something is. */
  get job(): JobHeader | undefined {
    return this.#header
  }

  connectedCallback(): void {
    this.#leaveLiveRegion = useLiveRegion()
    this.#observer = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return
      this.#observer?.disconnect()
      this.#wasSeen = true
      this.#connect()
    })
    this.#observer.observe(this)
  }

  disconnectedCallback(): void {
    this.#observer?.disconnect()
    this.#wasSeen = false
    this.#leaveLiveRegion?.()
    this.#close()
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (before === now) return
    this.#attributes.value += 1
    if ((name === 'src' || name === 'token') && this.#wasSeen) this.#connect()
  }

  #close(): void {
    this.#view.showFailures(undefined)
    this.#disconnect?.()
    this.#disconnect = undefined
  }

  #connect(): void {
    this.#close()
    this.#header = undefined
    const source = this.#source()
    if (!source) return
    const job = createHeaderSignal(source)
    const announcer = new Announcer(say)
    const stops = [effect(() => this.#show(job, announcer)), effect(() => this.#tell(job.job.value))]
    this.#disconnect = () => {
      for (const stop of stops) stop()
    }
  }

  #source(): { url: string; token?: string } | undefined {
    const url = this.getAttribute('src')
    const token = this.getAttribute('token')
    return url ? { url, ...(token ? { token } : {}) } : undefined
  }

  #show(signals: HeaderSignal, announcer: Announcer): void {
    this.#attributes.value
    const job = signals.job.value
    const format = formatFor(this.closest<HTMLElement>('[lang]')?.lang)
    const words = describeJob(
      {
        job,
        connection: signals.connection.value,
        now: signals.now.value,
        lastSeen: signals.lastSeen.value,
        rate: signals.rate.value,
        timeLeft: signals.timeLeft.value,
      },
      format,
    )
    // Nothing to show is no reason to offer it: a producer may count failures without naming them.
    if (job && job.itemCounts.failed + job.errorCount === 0) words.action = undefined
    const given = this.getAttribute('label')
    const variant = this.#variant()
    this.#view.update(words, given ?? (variant === 'text' ? '' : (job?.title ?? '')), variant)
    this.#view.root.lang = format.language.tag
    this.#showFallback(words)
    announcer.hear(words, given ?? job?.title, format)
  }

  /** What the page put inside the element is true for as long as nothing better is known. */
  #showFallback({ state }: JobWords): void {
    const hasFallback = this.#fallback.assignedNodes().some((node) => node.textContent?.trim())
    this.#fallback.hidden = state !== 'connecting' && state !== 'unreachable'
    this.#view.root.hidden = state === 'connecting' && hasFallback
  }

  #variant(): Variant {
    const variant = this.getAttribute('variant')
    return variant === 'ring' || variant === 'text' ? variant : 'bar'
  }

  #tell(header: JobHeader | undefined): void {
    if (!header || header === this.#header) return
    const ended = isTerminalStatus(header.status) && (!this.#header || !isTerminalStatus(this.#header.status))
    this.#header = header
    // Listeners read and write what they like; it is not for this effect to depend on it.
    untracked(() => {
      this.dispatchEvent(new CustomEvent('job-change', { detail: header, bubbles: true, composed: true }))
      if (ended) this.dispatchEvent(new CustomEvent('job-end', { detail: header, bubbles: true, composed: true }))
    })
  }

  /** The header counts failures; which they are, the whole document says, and only whoever asks pays for it. */
  async #toggleFailures(): Promise<void> {
    const source = this.#source()
    if (this.#view.showsFailures || !source) {
      this.#view.showFailures(undefined)
      return
    }
    const url = new URL(source.url, document.baseURI)
    if (source.token) url.searchParams.set('token', source.token)
    url.pathname = url.pathname.replace(/\/progress$/, '')
    const response = await fetch(url).catch(() => undefined)
    if (response?.ok) this.#view.showFailures(listFailures(await response.json()))
  }
}

/** The items that failed; of a job that names none, its errors. */
function listFailures({ items, errors }: Job): Failure[] {
  const failed = getItemsByStatus({ items }, 'failed')
  if (failed.length === 0) return errors.map(({ message }) => ({ name: message }))
  return failed.map(({ id, label, error, message }) => ({ name: label ?? id, reason: error ?? message }))
}

const formats = new Map<string, Format>()

/** The format of a language tag, or of its language without the region; of English, where neither is spoken. */
function formatFor(tag: string | undefined): Format {
  const { languages } = JobProgressElement
  const language = languages.get(tag ?? '') ?? languages.get(tag?.split('-')[0] ?? '') ?? english
  // Numbers and dates follow the region, in the language that is spoken: en-GB, but not de where the words are English.
  const locale = tag?.split('-')[0] === language.tag ? tag : language.tag
  let format = formats.get(locale)
  if (!format) {
    format = createFormat(language, { locale })
    formats.set(locale, format)
  }
  return format
}
