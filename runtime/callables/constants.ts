/** Constants of the kernel that scripts can name. Error codes are in errno.ts. */
import { HMM_FAULT_ALLOW_RETRY, HMM_FAULT_SNAPSHOT } from "../mm/hmm_fault_walk.ts";
import { FAULT_FLAG_ALLOW_RETRY, FAULT_FLAG_REMOTE, FAULT_FLAG_WRITE, VM_FAULT_ERROR } from "../mm/fault_flags.ts";
import {
  __GFP_DIRECT_RECLAIM,
  __GFP_FS,
  __GFP_IO,
  __GFP_ZERO,
  GFP_ATOMIC,
  GFP_KERNEL,
  GFP_NOFS,
  GFP_NOIO,
  GFP_NOWAIT,
} from "../machine/gfp.ts";
import { VM_EXEC, VM_READ, VM_WRITE } from "../mm/mm_types.ts";
import { ACTION_AGAIN, ACTION_CONTINUE, ACTION_SUBTREE } from "../mm/pagewalk_types.ts";
import { PAGE_SHIFT, PAGE_SIZE } from "../mm/pgtable.ts";

/** Sizes and addresses on x86-64. */
const sizes = { PAGE_SIZE, PAGE_SHIFT, PAGE_MASK: -PAGE_SIZE, TASK_SIZE: 2 ** 47 - PAGE_SIZE, HZ: 1000, jiffies: 0 };
/** Numbers end at 2^53 here. */
const limits = { INT_MAX: 2 ** 31 - 1, UINT_MAX: 2 ** 32 - 1, ULONG_MAX: Number.MAX_SAFE_INTEGER };
/** Of these lockdep asks whether an allocation may wait for memory. */
const gfp = {
  ...{ GFP_KERNEL, GFP_ATOMIC, GFP_NOWAIT, GFP_NOFS, GFP_NOIO, __GFP_ZERO, __GFP_FS, __GFP_IO, __GFP_DIRECT_RECLAIM },
  ...{
    GFP_USER: GFP_KERNEL | 0x100000,
    GFP_HIGHUSER: GFP_KERNEL | 0x100002,
    GFP_KERNEL_ACCOUNT: GFP_KERNEL | 0x400000,
  },
  ...{ __GFP_NOWARN: 0x2000, __GFP_RETRY_MAYFAIL: 0x4000, __GFP_NOFAIL: 0x8000, __GFP_NORETRY: 0x10000 },
};
const flags = { VM_READ, VM_WRITE, VM_EXEC, FAULT_FLAG_WRITE, FAULT_FLAG_ALLOW_RETRY, FAULT_FLAG_REMOTE };
/** include/linux/hmm.h, enum hmm_pfn_flag_e and hmm_pfn_value_e of 5.2: places in a driver's tables of flags. */
const hmm = {
  ...{ HMM_PFN_VALID: 0, HMM_PFN_WRITE: 1, HMM_PFN_DEVICE_PRIVATE: 2, HMM_PFN_FLAG_MAX: 3 },
  ...{ HMM_PFN_ERROR: 0, HMM_PFN_NONE: 1, HMM_PFN_SPECIAL: 2, HMM_PFN_VALUE_MAX: 3 },
  HMM_RANGE_DEFAULT_TIMEOUT: 1000,
  ...{ HMM_FAULT_ALLOW_RETRY, HMM_FAULT_SNAPSHOT },
};

/** include/linux/pagewalk.h: what becomes of an entry after its callback. */
const walk = { ACTION_SUBTREE, ACTION_CONTINUE, ACTION_AGAIN };

/** include/linux/mmu_notifier.h, enum mmu_notifier_event: why something is invalidated. */
const events = {
  ...{ MMU_NOTIFY_UNMAP: 0, MMU_NOTIFY_CLEAR: 1, MMU_NOTIFY_PROTECTION_VMA: 2, MMU_NOTIFY_PROTECTION_PAGE: 3 },
  ...{ MMU_NOTIFY_SOFT_DIRTY: 4, MMU_NOTIFY_RELEASE: 5, MMU_NOTIFY_MIGRATE: 6 },
};

export const constants: Readonly<Record<string, number>> = {
  ...sizes,
  ...limits,
  ...gfp,
  ...flags,
  ...hmm,
  ...walk,
  ...events,
  VM_FAULT_ERROR,
};
