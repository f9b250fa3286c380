"""How Sphinx builds the reference of modules and roles. Nothing is fetched: references to other people's pages stay text."""

project = "webstack.aws"
copyright = "webstack.aws developers"
title = html_title = html_short_title = "webstack.aws reference"

extensions = ["sphinx_antsibull_ext"]
default_role = "any"
highlight_language = "YAML+Jinja"
pygments_style = "ansible"

html_theme = "sphinx_ansible_theme"
html_theme_options = {"documentation_home_url": "index.html"}
html_copy_source = False
html_show_sphinx = False
html_use_index = False
html_use_modindex = False

nitpicky = True
# Pages of ansible-core and amazon.aws, which this build has no copy of. Our own have to resolve.
nitpick_ignore_regex = [
    ("std:ref", r"ansible_collections\.(?!webstack\.)\w+\..*"),
    ("std:ref", r"ansible_configuration_settings|common_return_values"),
]
