"""Yum repositories: repodata and the packages it lists."""
