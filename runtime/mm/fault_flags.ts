/** What a fault is asked for and what comes of it: include/linux/mm.h and mm_types.h. */
export const FAULT_FLAG_WRITE = 0x1;
export const FAULT_FLAG_ALLOW_RETRY = 0x4;
export const FAULT_FLAG_REMOTE = 0x80;
export const VM_FAULT_OOM = 0x1;
export const VM_FAULT_SIGBUS = 0x2;
export const VM_FAULT_ERROR = VM_FAULT_OOM | VM_FAULT_SIGBUS;
export const VM_FAULT_NOPAGE = 0x100;
export const VM_FAULT_RETRY = 0x400;
/** The huge form was not possible: go on with smaller ones. */
export const VM_FAULT_FALLBACK = 0x800;
