"""Many models: found, done by worker processes or another executor, journalled as they finish, and gone on with.

Places become tasks (`places`, `tasks`), an executor performs them in order of completion (`pool` here; others on a
cluster), and each line goes to the journal before anyone sees it.  Nothing here prints.
"""
