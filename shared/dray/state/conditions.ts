/*
 * A pipeline's lease, with the conditions that hold at each moment:
 *
 *       acquired             renewed               expires              taken over
 *   ───────┼────────────────────┼─────────────────────┼─────────────────────┼───────▶ now
 *          │                                          │                     │
 *  leaseFree        the owner alone writes:           │ leaseExpired:       │ epoch + 1:
 *          │        leaseOwned, leaseOfEpoch          │ another may acquire │ leaseOfEpoch fails
 *          │                                          │ leaseOfEpoch holds  │ for the old owner
 *          │                                          │ still               │
 *
 * `commit` and `releaseLease` remove `lease_owner`, so that leaseFree holds again.
 */
const pipelineUnknown = 'attribute_not_exists(pk)'
const leaseFree = 'attribute_not_exists(lease_owner)'
const leaseExpired = 'lease_expires_at <= :now'
export const leaseOwned = 'lease_owner = :owner'
const leaseOfAnother = 'lease_owner <> :owner'
export const leaseOfEpoch = 'lease_owner = :owner AND epoch = :epoch'
export const versionUnchanged = 'version = :version'

/** A run commits a pipeline once: a Plan delivered after that must not take the lease again. */
const notCommittedByOwner = '(attribute_not_exists(commit_owner) OR commit_owner <> :owner)'

/** What an owner needs to take a lease that is not its own. */
export const leaseCanBeTaken = `(${leaseFree} OR (${leaseExpired} AND ${leaseOfAnother})) AND ${notCommittedByOwner}`
/** What setting `last_run` by hand needs: nobody works on the pipeline. */
export const leaseNotHeld = `(${pipelineUnknown} OR ${leaseFree} OR ${leaseExpired})`
export const leaseUnchanged = 'lease_owner = :holder AND epoch = :epoch'

export const isPending = 'pending = :true'

/** A token that is not there yet: the write has not been performed by an earlier try whose reply was lost. */
export const notSetByThisCall = '(attribute_not_exists(set_id) OR set_id <> :id)'

export const notCountedByThisCall = '(attribute_not_exists(attempt_id) OR attempt_id <> :id)'

/** An item that a newer version of Dray has written is left alone; a write makes it one of the format of this one. */
export const formatKnown = '(attribute_not_exists(format_version) OR format_version <= :format_version)'

export const notRecorded = 'attribute_not_exists(pk)'
export const runStillRunning = '#status = :running'
/**
 * A success is final, and what has ended does not run again: a late or repeated report of an attempt does not take them
 * back.
 */
const successStays = '(#status <> :success OR :status = :success)'
const endStays = '(:status <> :running OR #status = :running)'
export const laterReport = `(${notRecorded} OR (${successStays} AND ${endStays}))`
