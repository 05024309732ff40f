import { defaultLimits } from '../../shared/document/limits.ts'
import { type Clock, type Random, systemClock, systemRandom } from '../../shared/time/clock.ts'
import { noControl } from '../jobs/emitter.ts'
import { analyseTexts } from './analysis/analysis.ts'
import { countOf } from './kit/amounts.ts'
import { createCheckpoint } from './kit/checkpoint.ts'
import { type Samples, toFile } from './kit/samples.ts'
import type { Services } from './kit/service.ts'
import { clip, escapeControls } from './kit/untrusted-text.ts'
import {
  asksForSample,
  paceOf,
  requireFields,
  requireGood,
  requireSample,
  uploadedFile,
  uploadedFiles,
} from './kit/upload.ts'
import { matchRecords } from './matching/matching.ts'
import { checkNameFile } from './matching/name-list.ts'
import { syncTrees } from './sync/sync.ts'
import { MemoryTree } from './sync/tree.ts'

interface ServicesOptions {
  samples?: Samples
  clock?: Clock
  random?: Random
}

/** Largest file of the sample's target. Some files are larger, to show failures. */
const SAMPLE_FILE_BYTES = 13_700
/** A target holds its own upload and a copy of the source. */
const TREE_BYTES = 2 * defaultLimits.uploadBytes
const TITLE_BYTES = 200

/**
 * The reference services, for the option `services` of `createApp`. Each takes a form with files, or with `sample=true`:
 *
 * - `sync`: `source`, the files of a folder; `target`, existing files, optional. They are synced in memory.
 * - `analysis`: `files`, texts.
 * - `matching`: `left` and `right`, a CSV list each, with a column of names.
 *
 * `paceSeconds` slows the work down to about this many seconds.
 */
export function createServices(options: ServicesOptions = {}): Services {
  const { samples, clock = systemClock, random = systemRandom } = options
  const turns = () => createCheckpoint(noControl, clock)
  return {
    sync: {
      async prepare(form) {
        requireFields(form, ['source', 'target', 'sample', 'paceSeconds'])
        const pace = paceOf(form)
        const { source, target } = asksForSample(form) ? sampleTrees(samples) : await uploadedTrees(form, turns())
        return {
          kind: 'sync',
          title: clip(escapeControls(`${source.name} → ${target.name}`), TITLE_BYTES),
          metadata: pace,
          run: (jobId, control) => syncTrees(source, target, { jobId, control, clock, random, ...pace }),
        }
      },
    },
    analysis: {
      async prepare(form) {
        requireFields(form, ['files', 'sample', 'paceSeconds'])
        const pace = paceOf(form)
        const files = asksForSample(form)
          ? requireSample(samples).texts.map(toFile)
          : await uploadedFiles(form, 'files', { least: 1, checkpoint: turns() })
        return {
          kind: 'analysis',
          title: `Words of ${countOf(files.length, 'file')}`,
          metadata: pace,
          run: (jobId, control) => analyseTexts(files, { jobId, control, clock, ...pace }),
        }
      },
    },
    matching: {
      async prepare(form) {
        requireFields(form, ['left', 'right', 'sample', 'paceSeconds'])
        const pace = paceOf(form)
        const { left, right } = asksForSample(form)
          ? sampleLists(samples)
          : { left: await uploadedFile(form, 'left'), right: await uploadedFile(form, 'right') }
        const checkpoint = turns()
        await requireGood('left', checkNameFile(left, checkpoint))
        await requireGood('right', checkNameFile(right, checkpoint))
        return {
          kind: 'matching',
          title: clip(escapeControls(`${left.name} ↔ ${right.name}`), TITLE_BYTES),
          metadata: pace,
          run: (jobId, control) => matchRecords(left, right, { jobId, control, clock, ...pace }),
        }
      },
    },
  }
}

interface Trees {
  source: MemoryTree
  target: MemoryTree
}

function sampleTrees(samples: Samples | undefined): Trees {
  const { texts, present } = requireSample(samples)
  const all = texts.map((text) => [text.path, toFile(text)] as const)
  const there = all.filter(([path]) => present.includes(path))
  return {
    source: new MemoryTree('Books', all, { treeBytes: TREE_BYTES, fileBytes: TREE_BYTES }),
    target: new MemoryTree('Backup', there, { treeBytes: TREE_BYTES, fileBytes: SAMPLE_FILE_BYTES }),
  }
}

async function uploadedTrees(form: FormData, checkpoint: () => Promise<void>): Promise<Trees> {
  const source = uploadedTree('Upload', await uploadedFiles(form, 'source', { least: 1, checkpoint }))
  const there = await uploadedFiles(form, 'target', { least: 0, checkpoint })
  return { source, target: uploadedTree(`${source.name} (copy)`, there) }
}

/** Files as a tree. A common top folder becomes its name, so that `photos/a.jpg` and `backup/a.jpg` are the same path. */
function uploadedTree(name: string, files: readonly File[]): MemoryTree {
  const [folder, ...rest] = files[0]?.name.split('/') ?? []
  const isCommon = rest.length > 0 && files.every((file) => file.name.startsWith(`${folder}/`))
  const cut = isCommon ? `${folder}/`.length : 0
  const contents = files.map((file) => [file.name.slice(cut), file] as const)
  return new MemoryTree(isCommon ? `${folder}` : name, contents, { treeBytes: TREE_BYTES, fileBytes: TREE_BYTES })
}

function sampleLists(samples: Samples | undefined): { left: File; right: File } {
  const { left, right } = requireSample(samples).lists
  return { left: toFile(left), right: toFile(right) }
}
