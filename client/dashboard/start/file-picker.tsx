import { useId } from 'preact/hooks'
import { format } from '../page.ts'
import { text } from '../text.ts'
import type { FileField } from './services.ts'

const prompts = {
  folder: text.start.chooseFolder,
  files: text.start.chooseFiles,
  file: text.start.chooseFile,
} satisfies Record<FileField['kind'], string>

interface FilePickerProps {
  field: FileField
  files: readonly File[]
  /** The reader tried to submit without files. */
  isMissing: boolean
  onChoose(files: readonly File[]): void
}

/** Chooses the files of a field, and says what was chosen. */
export function FilePicker({ field, files, isMissing, onChoose }: FilePickerProps) {
  const id = useId()
  const bytes = files.reduce((sum, { size }) => sum + size, 0)
  const folder = field.kind === 'folder' ? files[0]?.webkitRelativePath.split('/')[0] : undefined
  const name = files.length === 1 ? files[0]?.name : folder
  return (
    <div class="picker">
      <label for={id}>
        {field.label} {field.optional && <span class="muted">{text.start.optional}</span>}
      </label>
      <div class="picked">
        <input
          id={id}
          type="file"
          multiple={field.kind !== 'file'}
          {...(field.kind === 'folder' ? { webkitdirectory: true } : {})}
          {...(field.accept ? { accept: field.accept } : {})}
          aria-describedby={`${id}-state`}
          aria-invalid={isMissing}
          onChange={(event) => onChoose([...(event.currentTarget.files ?? [])])}
        />
        <span class="button" aria-hidden="true">
          {prompts[field.kind]}
        </span>
        <span id={`${id}-state`} class={isMissing ? 'bad' : 'muted'}>
          {files.length > 0 ? (
            <>
              {name && <b dir="auto">{name}</b>}{' '}
              {text.start.chosen(format.amount(files.length, 'files'), format.amount(bytes, 'bytes'))}
            </>
          ) : isMissing ? (
            text.start.needed
          ) : (
            field.hint
          )}
        </span>
      </div>
    </div>
  )
}
