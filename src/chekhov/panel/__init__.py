"""The panel: what owners, cashiers and accountants see. The top room: it reads freely and writes only by services.

Every page is a view of ours inside the theme's frame (`chekhov.panel.pages`); a form makes one service call and shows
the service's refusal at the field it names. Nothing is registered with Django's own admin pages: their lists count
whole tables, their forms save a record apart from its lines, and a refusal raised while saving is an error page there.
"""
