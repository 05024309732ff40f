import { folders, type IconShape, links, page } from '../../element/icons.ts'

/** A field of a service's form: files. */
export interface FileField {
  name: string
  label: string
  kind: 'folder' | 'files' | 'file'
  optional?: true
  /** What a file chooser offers first. */
  accept?: string
  hint?: string
}

/** A reference service, as it is offered. */
export interface ServiceOffer {
  name: 'sync' | 'analysis' | 'matching'
  icon: IconShape
  label: string
  does: string
  fields: readonly FileField[]
}

/** The reference services of this server. */
export const services: readonly ServiceOffer[] = [
  {
    name: 'sync',
    icon: folders,
    label: 'Sync folders',
    does: 'Compares two folders and copies what differs, file by file.',
    fields: [
      { name: 'source', label: 'From', kind: 'folder' },
      {
        name: 'target',
        label: 'To',
        kind: 'folder',
        optional: true,
        hint: 'What is there already. It is uploaded for comparison, and your folder is left as it is.',
      },
    ],
  },
  {
    name: 'analysis',
    icon: page,
    label: 'Analyse texts',
    does: 'Reads text files and ranks their words.',
    fields: [{ name: 'files', label: 'Texts', kind: 'files', accept: 'text/*,.md,.csv,.json,.log' }],
  },
  {
    name: 'matching',
    icon: links,
    label: 'Match two lists',
    does: 'Links the records of two CSV lists whose names are spelt differently.',
    fields: [
      { name: 'left', label: 'First list', kind: 'file', accept: '.csv,text/csv', hint: 'CSV with a column of names.' },
      { name: 'right', label: 'Second list', kind: 'file', accept: '.csv,text/csv' },
    ],
  },
]
