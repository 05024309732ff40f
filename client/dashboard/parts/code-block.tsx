import { useState } from 'preact/hooks'
import { check, copy } from '../../element/icons.ts'
import { say } from '../../element/live-region.ts'
import { text } from '../text.ts'
import { Icon } from './icon.tsx'
import { Scrollable } from './scrollable.tsx'

/** Text to be copied, as it is. */
export function CodeBlock({ code, label }: { code: string; label: string }) {
  const [copied, setCopied] = useState<string>()
  const isCopied = copied === code
  const copyAll = async () => {
    // Without access to the clipboard the text can still be selected.
    await navigator.clipboard?.writeText(code).then(
      () => {
        setCopied(code)
        say(text.copied, true)
      },
      () => setCopied(undefined),
    )
  }
  return (
    <div class="code">
      <Scrollable class="code-text" label={label}>
        <pre class="mono" dir="ltr">
          {code}
        </pre>
      </Scrollable>
      <button type="button" class="quiet small" onClick={copyAll} aria-label={`${text.copy}: ${label}`}>
        <Icon icon={isCopied ? check : copy} />
        {isCopied ? text.copied : text.copy}
      </button>
    </div>
  )
}
