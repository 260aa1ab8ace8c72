/** include/linux/gfp.h: what an allocation may do to find memory. The numbers are those of 5.6. */
export const __GFP_HIGH = 0x20;
export const __GFP_IO = 0x40;
export const __GFP_FS = 0x80;
export const __GFP_ZERO = 0x100;
export const __GFP_ATOMIC = 0x200;
/** It may wait for memory to be freed, so it may sleep. */
export const __GFP_DIRECT_RECLAIM = 0x400;
export const __GFP_KSWAPD_RECLAIM = 0x800;

const reclaim = __GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM;
export const GFP_KERNEL = reclaim | __GFP_IO | __GFP_FS;
export const GFP_NOFS = reclaim | __GFP_IO;
export const GFP_NOIO = reclaim;
export const GFP_ATOMIC = __GFP_HIGH | __GFP_ATOMIC | __GFP_KSWAPD_RECLAIM;
export const GFP_NOWAIT = __GFP_KSWAPD_RECLAIM;
