// SPDX-License-Identifier: GPL-2.0
/*
 * tinyvm - secondary MMU of a hypervisor.
 *
 * Looking up a page sleeps, so it is done before mmu_lock is taken, and the
 * result is used only if no invalidation has begun or ended in between.
 */
#include <linux/kvm_types.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

enum {
	TINYVM_NR_GFNS = 4,
	SPTE_PRESENT = 1,
	SPTE_WRITABLE = 2,
};

struct tinyvm {
	struct mmu_notifier mmu_notifier;
	struct mm_struct *mm;
	unsigned long userspace_addr;

	spinlock_t mmu_lock;		/* all below */
	long mmu_notifier_count;	/* invalidations between start and end */
	unsigned long mmu_notifier_seq;	/* invalidations that have ended */
	u64 spte[TINYVM_NR_GFNS];
	bool tlbs_dirty;
};

static inline struct tinyvm *mmu_notifier_to_vm(struct mmu_notifier *mn)
{
	return container_of(mn, struct tinyvm, mmu_notifier);
}

/* Caller holds mmu_lock. */
static bool tinyvm_unmap_hva_range(struct tinyvm *vm, unsigned long start,
				   unsigned long end)
{
	bool flush = false;
	gfn_t gfn;

	for (gfn = 0; gfn < TINYVM_NR_GFNS; gfn++) {
		unsigned long hva = vm->userspace_addr + gfn * PAGE_SIZE;

		if (hva < start || hva >= end ||
		    !(vm->spte[gfn] & SPTE_PRESENT))
			continue;
		vm->spte[gfn] = 0;
		flush = true;
	}
	return flush;
}

static int tinyvm_invalidate_range_start(struct mmu_notifier *mn,
					 const struct mmu_notifier_range *range)
{
	struct tinyvm *vm = mmu_notifier_to_vm(mn);

	spin_lock(&vm->mmu_lock);
	/* faults must not install what they have looked up by now */
	vm->mmu_notifier_count++;
	vm->tlbs_dirty |= tinyvm_unmap_hva_range(vm, range->start, range->end);
	spin_unlock(&vm->mmu_lock);
	return 0;
}

static void tinyvm_invalidate_range_end(struct mmu_notifier *mn,
					const struct mmu_notifier_range *range)
{
	struct tinyvm *vm = mmu_notifier_to_vm(mn);

	spin_lock(&vm->mmu_lock);
	vm->mmu_notifier_seq++;
	smp_wmb();
	vm->mmu_notifier_count--;
	spin_unlock(&vm->mmu_lock);

	BUG_ON(vm->mmu_notifier_count < 0);
}

static void tinyvm_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct tinyvm *vm = mmu_notifier_to_vm(mn);

	spin_lock(&vm->mmu_lock);
	tinyvm_unmap_hva_range(vm, 0, ULONG_MAX);
	spin_unlock(&vm->mmu_lock);
}

static const struct mmu_notifier_ops tinyvm_mmu_notifier_ops = {
	.invalidate_range_start	= tinyvm_invalidate_range_start,
	.invalidate_range_end	= tinyvm_invalidate_range_end,
	.release		= tinyvm_release,
};

static inline int mmu_notifier_retry(struct tinyvm *vm, unsigned long mmu_seq)
{
	if (unlikely(vm->mmu_notifier_count))
		return 1;
	smp_rmb();
	if (vm->mmu_notifier_seq != mmu_seq)
		return 1;
	return 0;
}

/* May sleep. Returns 0 once the page is there. */
static int hva_to_page(struct tinyvm *vm, unsigned long hva, bool write)
{
	struct vm_area_struct *vma;
	vm_fault_t fault;
	int ret = -EFAULT;

	if (!mmget_not_zero(vm->mm))
		return -ESRCH;
	down_read(&vm->mm->mmap_sem);
	vma = find_vma(vm->mm, hva);
	if (!vma || hva < vma->vm_start ||
	    (write && !(vma->vm_flags & VM_WRITE)))
		goto out;
	fault = handle_mm_fault(vma, hva, write ? FAULT_FLAG_WRITE : 0);
	ret = fault & VM_FAULT_ERROR ? -ENOMEM : 0;
out:
	up_read(&vm->mm->mmap_sem);
	mmput(vm->mm);
	return ret;
}

int tinyvm_page_fault(struct tinyvm *vm, gfn_t gfn, bool write)
{
	unsigned long hva, mmu_seq;
	int r;

	if (gfn >= TINYVM_NR_GFNS)
		return -EINVAL;
	hva = vm->userspace_addr + (gfn << PAGE_SHIFT);
retry:
	mmu_seq = READ_ONCE(vm->mmu_notifier_seq);
	smp_rmb();
	r = hva_to_page(vm, hva, write);
	if (r) {
		pr_debug("tinyvm: no page behind gfn %llu: %d\n", gfn, r);
		return r;
	}

	spin_lock(&vm->mmu_lock);
	if (mmu_notifier_retry(vm, mmu_seq)) {
		spin_unlock(&vm->mmu_lock);
		cond_resched();
		goto retry;
	}
	vm->spte[gfn] = hva | SPTE_PRESENT | (write ? SPTE_WRITABLE : 0);
	spin_unlock(&vm->mmu_lock);
	return 0;
}
EXPORT_SYMBOL_GPL(tinyvm_page_fault);

struct tinyvm *tinyvm_create(unsigned long userspace_addr)
{
	struct tinyvm *vm = kzalloc(sizeof(struct tinyvm), GFP_KERNEL);

	if (vm == NULL)
		return NULL;
	spin_lock_init(&vm->mmu_lock);
	vm->userspace_addr = userspace_addr;
	vm->mm = current->mm;
	mmgrab(vm->mm);
	vm->mmu_notifier.ops = &tinyvm_mmu_notifier_ops;
	if (mmu_notifier_register(&vm->mmu_notifier, vm->mm) < 0)
		goto err_free;
	return vm;

err_free:
	mmdrop(vm->mm);
	kfree(vm);
	return NULL;
}

void tinyvm_destroy(struct tinyvm *vm)
{
	mmu_notifier_unregister(&vm->mmu_notifier, vm->mm);
	WARN_ON(vm->mmu_notifier_count != 0);
	mmdrop(vm->mm);
	kfree(vm);
}
